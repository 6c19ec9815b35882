package warmup

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteText writes the schedule as a table with a bar for each day.
func (s *Schedule) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	days, addresses := "days", "addresses"
	if len(s.Days) == 1 {
		days = "day"
	}
	if s.IPs == 1 {
		addresses = "address"
	}
	fmt.Fprintf(b, "%s mails a day in %d %s, %d %s. From: %s\n", count(float64(s.Target)), len(s.Days), days, s.IPs, addresses, s.Source)
	if !s.Reached {
		b.WriteString("The cap lies below the target, which is not reached.\n")
	}
	most := 1
	for _, d := range s.Days {
		most = max(most, d.Total)
	}
	width := len(count(float64(most)))
	fmt.Fprintf(b, "\n day  date        %*s  opened", max(width, 5), "mails")
	for _, p := range s.Providers {
		fmt.Fprintf(b, "  %*s", max(width, utf8.RuneCountInString(string(p))), p)
	}
	b.WriteString("\n")
	for n, d := range s.All() {
		fmt.Fprintf(b, "%4d  %s  %*s  %3d d.", n, d.Date, max(width, 5), count(float64(d.Total)), d.Tier)
		for i, p := range s.Providers {
			fmt.Fprintf(b, "  %*s", max(width, utf8.RuneCountInString(string(p))), count(float64(d.ByProvider[i])))
		}
		line := "  " + bar(d.Total, most, 30)
		if d.Note != "" {
			line += "  " + d.Note
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	return b.Flush()
}

// bar draws n of most in eighths of a character.
func bar(n, most, width int) string {
	eighths := int((int64(n)*int64(width)*8 + int64(most)/2) / int64(most))
	if eighths == 0 && n > 0 {
		eighths = 1
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

// WriteCSV writes a line for each day: its number, date, total, group, providers, the 24
// hours, note.
func (s *Schedule) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	head := []string{"day", "date", "total", "opened_within_days"}
	for _, p := range s.Providers {
		head = append(head, cell(string(p)))
	}
	for h := range 24 {
		head = append(head, fmt.Sprintf("hour_%02d", h))
	}
	c.Write(append(head, "note"))
	for n, d := range s.All() {
		row := []string{strconv.Itoa(n), d.Date.String(), strconv.Itoa(d.Total), strconv.Itoa(d.Tier)}
		for _, v := range d.ByProvider {
			row = append(row, strconv.Itoa(v))
		}
		for _, v := range d.ByHour {
			row = append(row, strconv.Itoa(v))
		}
		c.Write(append(row, d.Note))
	}
	c.Flush()
	return c.Error()
}

// cell keeps a spreadsheet from taking a name for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// WriteICS writes a calendar (RFC 5545) with an event of a whole day for each day of the
// schedule. stamp is when it was made.
func (s *Schedule) WriteICS(w io.Writer, stamp time.Time) error {
	b := bufio.NewWriter(w)
	line := func(text string) { b.WriteString(fold(text)) }
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//rebound//warmup//EN")
	for n, d := range s.All() {
		if d.Total == 0 {
			continue
		}
		line("BEGIN:VEVENT")
		line(fmt.Sprintf("UID:warmup-%s-%d@rebound", d.Date, s.Target))
		line("DTSTAMP:" + stamp.UTC().Format("20060102T150405Z"))
		line("DTSTART;VALUE=DATE:" + d.Date.Time().Format("20060102"))
		line("DTEND;VALUE=DATE:" + (d.Date + 1).Time().Format("20060102"))
		line(fmt.Sprintf("SUMMARY:Warm-up day %d: %s mails", n, escapeICS(count(float64(d.Total)))))
		var parts []string
		for i, p := range s.Providers {
			parts = append(parts, fmt.Sprintf("%s %s", p, count(float64(d.ByProvider[i]))))
		}
		text := strings.Join(parts, ", ") + fmt.Sprintf(". To who opened or clicked within %d days.", d.Tier)
		if d.Note != "" {
			text += " " + d.Note + "."
		}
		line("DESCRIPTION:" + escapeICS(text))
		line("TRANSP:TRANSPARENT")
		line("END:VEVENT")
	}
	line("END:VCALENDAR")
	return b.Flush()
}

var icsText = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`, "\r", "")

func escapeICS(s string) string { return icsText.Replace(s) }

// fold ends a line, and breaks it after 75 octets. RFC 5545, section 3.1.
func fold(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if size := utf8.RuneLen(r); n+size > 75 {
			b.WriteString("\r\n ")
			n = 1 + size
		} else {
			n += size
		}
		b.WriteRune(r)
	}
	b.WriteString("\r\n")
	return b.String()
}

// WriteJSON writes the schedule as one line of JSON.
func (s *Schedule) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(s) }

// WriteSVG draws the schedule; see [Chart].
func (s *Schedule) WriteSVG(w io.Writer) error {
	c := Chart{Title: fmt.Sprintf("Warm-up to %s mails a day", count(float64(s.Target))), Providers: s.Providers}
	for _, d := range s.Days {
		c.Days = append(c.Days, ChartDay{Date: d.Date, Volumes: d.ByProvider})
	}
	return c.WriteSVG(w)
}
