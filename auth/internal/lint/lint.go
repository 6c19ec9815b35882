// Package lint runs the checks of the packages of auth: each a row of a table, each in
// a file of its own.
package lint

import "github.com/rebound-mail/rebound/finding"

// A Check looks at one thing in a T and reports what is wrong with it. Its code is the
// name of its file, of its fixtures and of its findings.
type Check[T any] struct {
	Code string
	Run  func(T) []finding.Finding
}

// Run returns what the checks say, in their order. A finding is about the subject where
// the check names no other.
func Run[T any](checks []Check[T], subject string, t T) []finding.Finding {
	var list []finding.Finding
	for _, c := range checks {
		for _, f := range c.Run(t) {
			f.Code = c.Code
			if f.Subject == "" {
				f.Subject = subject
			}
			list = append(list, f)
		}
	}
	return list
}

// Wrong reports whether findings tell of anything to mend, or to find out.
func Wrong(list []finding.Finding) bool {
	for _, f := range list {
		if f.Severity >= finding.Notice || f.Outcome != finding.Found {
			return true
		}
	}
	return false
}
