package content

import (
	"math"
	"strconv"
	"strings"
)

// lowContrast is the ratio below which text can hardly be told from what is behind it.
// WCAG 2.2 asks for 4.5 (https://www.w3.org/TR/WCAG22/#contrast-minimum); 1.3 is a
// judgement: such text is not meant to be read.
const lowContrast = 1.3

// with returns the style of an element within s.
func (s style) with(name string, a attributes) style {
	if a.hidden {
		s.hidden = true
	}
	if a.color != "" && (name == "font" || name == "body") {
		s.color = colour(a.color)
	}
	if a.background {
		s.back = rgb{}
	}
	if a.bgcolor != "" {
		s.back = colour(a.bgcolor)
	}
	if name == "font" && a.size != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(a.size, "+"))
		s.large = err == nil && (n >= 6 || a.size[0] == '+' && n >= 3)
	}
	for decl := range strings.SplitSeq(a.style, ";") {
		key, value, ok := strings.Cut(decl, ":")
		if !ok {
			continue
		}
		value = strings.ToLower(strings.TrimSpace(strings.ReplaceAll(value, "!important", "")))
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "display":
			s.hidden = s.hidden || value == "none"
		case "visibility":
			s.hidden = s.hidden || value == "hidden"
		case "opacity":
			s.hidden = s.hidden || value == "0"
		case "color":
			s.color = colour(value)
		case "background-color":
			s.back = colour(value)
		case "background":
			s.back = colour(value) // not set where it is more than a colour
		case "background-image":
			s.back = rgb{}
		case "font": // style weight size/line-height family
			for word := range strings.FieldsSeq(value) {
				size, _, _ := strings.Cut(word, "/")
				if px, ok := pixels(size); ok && px > 1 {
					s.zero, s.large = false, px >= 28
					break
				}
			}
		case "font-size":
			px, ok := pixels(value)
			s.zero = ok && px <= 1
			s.large = ok && px >= 28
		}
	}
	return s
}

// pixels reads a length of CSS in px or pt.
func pixels(s string) (float64, bool) {
	if s == "0" {
		return 0, true
	}
	unit := 1.0
	switch {
	case strings.HasSuffix(s, "px"):
		s = s[:len(s)-2]
	case strings.HasSuffix(s, "pt"):
		s, unit = s[:len(s)-2], 4.0/3
	default:
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return n * unit, err == nil
}

var colours = map[string]rgb{
	"white": {255, 255, 255, true}, "black": {0, 0, 0, true}, "red": {255, 0, 0, true}, "crimson": {220, 20, 60, true},
	"gray": {128, 128, 128, true}, "grey": {128, 128, 128, true}, "silver": {192, 192, 192, true}, "blue": {0, 0, 255, true}, "navy": {0, 0, 128, true},
	"green": {0, 128, 0, true}, "yellow": {255, 255, 0, true}, "orange": {255, 165, 0, true}, "maroon": {128, 0, 0, true}, "purple": {128, 0, 128, true},
	"snow": {255, 250, 250, true}, "ivory": {255, 255, 240, true}, "whitesmoke": {245, 245, 245, true}, "ghostwhite": {248, 248, 255, true},
}

// colour reads a colour of HTML or CSS; what it does not know is not set.
func colour(s string) rgb {
	s = strings.ToLower(strings.TrimSpace(s))
	if c, ok := colours[s]; ok {
		return c
	}
	if rest, ok := strings.CutPrefix(s, "rgb("); ok {
		var c [3]uint8
		fields := strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' || r == ')' })
		if len(fields) != 3 {
			return rgb{}
		}
		for i, f := range fields {
			n, err := strconv.Atoi(f)
			if err != nil || n < 0 || n > 255 {
				return rgb{}
			}
			c[i] = uint8(n)
		}
		return rgb{c[0], c[1], c[2], true}
	}
	hex := strings.TrimPrefix(s, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if len(hex) != 6 || err != nil {
		return rgb{}
	}
	return rgb{uint8(n >> 16), uint8(n >> 8), uint8(n), true}
}

// contrast is the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance).
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func (c rgb) luminance() float64 {
	return 0.2126*linear[c.r] + 0.7152*linear[c.g] + 0.0722*linear[c.b]
}

// linear is the light of each value of a channel.
var linear = func() (t [256]float64) {
	for v := range t {
		if c := float64(v) / 255; c <= 0.04045 {
			t[v] = c / 12.92
		} else {
			t[v] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return t
}()
