package content

// A Delta compares the reports on two states of one mail.
type Delta struct {
	Before float64   `json:"before"` // scores
	After  float64   `json:"after"`
	Fixed  []Finding `json:"fixed"`
	Left   []Finding `json:"left"`
	New    []Finding `json:"new"`
}

// Diff compares two reports by the codes of their findings: what the second no longer
// has is fixed. What both have is left, as it is in the second. The findings that speak
// for a mail are not compared.
func Diff(before, after *Report) Delta {
	d := Delta{Before: before.Score, After: after.Score, Fixed: []Finding{}, Left: []Finding{}, New: []Finding{}}
	had, has := map[string]bool{}, map[string]bool{}
	for _, f := range before.Findings {
		had[f.Code] = true
	}
	for _, f := range after.Findings {
		has[f.Code] = true
		switch {
		case f.Weight < 0:
		case had[f.Code]:
			d.Left = append(d.Left, f)
		default:
			d.New = append(d.New, f)
		}
	}
	for _, f := range before.Findings {
		if f.Weight >= 0 && !has[f.Code] {
			d.Fixed = append(d.Fixed, f)
		}
	}
	return d
}
