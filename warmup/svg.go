package warmup

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
)

// A Chart is a picture of volumes by day and provider.
type Chart struct {
	Title     string
	Providers []Provider // the order of ChartDay.Volumes
	Days      []ChartDay
}

// A ChartDay is one column. Decisions of the day, apart from advances, are marked above
// it.
type ChartDay struct {
	Date      Date
	Volumes   []int
	Decisions []Decision
}

// The picture, in pixels.
const (
	svgLeft, svgRight, svgTop, svgBottom = 74, 20, 64, 64
	svgPlot                              = 280
)

// The colours of providers, which can be told apart by who sees red and green alike
// (Okabe and Ito), and the signs of what was decided.
var (
	svgColours = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8c8c8c"}
	svgSigns   = map[Action]string{Hold: "◆", BackOff: "▼", Pause: "■", Rewarm: "↺"}
)

const svgStyle = `text{font:12px system-ui,sans-serif;fill:#222}.t{font-size:16px;font-weight:600}.a{text-anchor:end}.m{text-anchor:middle}.g{stroke:#ddd}.x{stroke:#666}.b{fill:#fff}` +
	`@media(prefers-color-scheme:dark){text{fill:#eee}.g{stroke:#444}.x{stroke:#999}.b{fill:#1b1b1b}}`

// WriteSVG draws the chart: a column for each day, the providers on top of each other. It
// reads well on a light and a dark page, and holds no script.
func (c Chart) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	step := max(12, min(34, 900/max(len(c.Days), 1)))
	width := svgLeft + step*max(len(c.Days), 12) + svgRight
	height := svgTop + svgPlot + svgBottom
	most, perRow := 1, max(1, (width-svgLeft)/110)
	for _, d := range c.Days {
		most = max(most, sum(d.Volumes))
	}
	rows := (len(c.Providers) + perRow - 1) / perRow
	height += 18 * rows
	top, tick := scale(most)
	y := func(v int) float64 { return svgTop + svgPlot*(1-float64(v)/float64(top)) }
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`, width, height, width, height, html.EscapeString(c.Title))
	fmt.Fprintf(b, "<style>%s</style><rect class=\"b\" width=\"%d\" height=\"%d\"/>\n", svgStyle, width, height)
	fmt.Fprintf(b, `<text class="t" x="%d" y="26">%s</text>`+"\n", 14, html.EscapeString(c.Title))
	for v := 0; v <= top; v += tick {
		fmt.Fprintf(b, `<line class="g" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="a" x="%d" y="%.1f">%s</text>`+"\n", svgLeft, width-svgRight, y(v), y(v), svgLeft-8, y(v)+4, count(float64(v)))
	}
	every := max(1, (46+step-1)/step)
	var used [Rewarm + 1]bool
	for i, d := range c.Days {
		x := svgLeft + i*step
		fmt.Fprintf(b, "<g><title>%s: %s mails", d.Date, count(float64(sum(d.Volumes))))
		for j, v := range d.Volumes {
			if j < len(c.Providers) && v > 0 {
				fmt.Fprintf(b, "&#10;%s %s", html.EscapeString(string(c.Providers[j])), count(float64(v)))
			}
		}
		for _, dec := range d.Decisions {
			fmt.Fprintf(b, "&#10;%s: %s", html.EscapeString(string(dec.Provider)), html.EscapeString(dec.String()))
		}
		b.WriteString("</title>")
		below := 0
		for j, v := range d.Volumes {
			if v <= 0 {
				continue
			}
			fmt.Fprintf(b, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s"/>`, x+1, y(below+v), step-2, max(y(below)-y(below+v), 0.5), svgColours[j%len(svgColours)])
			below += v
		}
		if a := gravest(d.Decisions); a != 0 {
			used[a] = true
			fmt.Fprintf(b, `<text class="m" x="%.1f" y="%.1f">%s</text>`, float64(x)+float64(step)/2, y(below)-6, svgSigns[a])
		}
		b.WriteString("</g>\n")
		if i%every == 0 {
			fmt.Fprintf(b, `<text class="m" x="%.1f" y="%d">%s</text>`, float64(x)+float64(step)/2, svgTop+svgPlot+18, d.Date.Time().Format("2 Jan"))
			fmt.Fprintf(b, `<text class="m" x="%.1f" y="%d">%d</text>`+"\n", float64(x)+float64(step)/2, svgTop+svgPlot+34, i+1)
		}
	}
	fmt.Fprintf(b, `<line class="x" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", svgLeft, width-svgRight, svgTop+svgPlot, svgTop+svgPlot)
	fmt.Fprintf(b, `<text class="a" x="%d" y="%d">day</text>`, svgLeft-8, svgTop+svgPlot+34)
	for i, p := range c.Providers {
		x, line := svgLeft+i%perRow*110, svgTop+svgPlot+56+18*(i/perRow)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="11" height="11" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, line-10, svgColours[i%len(svgColours)], x+16, line, html.EscapeString(short(string(p))))
	}
	x := svgLeft
	for a := Hold; a <= Rewarm; a++ {
		if used[a] {
			fmt.Fprintf(b, `<text x="%d" y="48">%s %s</text>`, x, svgSigns[a], a)
			x += 90
		}
	}
	b.WriteString("</svg>\n")
	return b.Flush()
}

// short cuts a name to what the legend has room for.
func short(s string) string {
	if r := []rune(s); len(r) > 13 {
		return string(r[:12]) + "…"
	}
	return s
}

func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += max(v, 0)
	}
	return n
}

// gravest is the worst of some decisions, of those that are marked.
func gravest(list []Decision) Action {
	var worst Action
	for _, d := range list {
		if d.Action > worst && d.Action <= Rewarm && d.Action != Advance && !slices.Contains([]Code{AtTarget, NoMail}, d.Reason.Code) {
			worst = d.Action
		}
	}
	return worst
}

// scale returns the end of an axis and the distance of its ticks.
func scale(most int) (top, tick int) {
	unit := math.Pow(10, math.Floor(math.Log10(float64(most))))
	for _, f := range []float64{0.2, 0.5, 1, 2} {
		if tick = max(1, int(f*unit)); most <= 5*tick {
			break
		}
	}
	return (most + tick - 1) / tick * tick, tick
}
