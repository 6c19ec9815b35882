package content

import (
	"slices"

	"github.com/rebound-mail/rebound/finding"
)

// A check is one row of the table: the code of its finding, the fact and the advice in
// words, and the function that finds its places in a mail.
type check struct {
	code     string
	severity finding.Severity
	text     string
	advice   string
	source   string // the rule that is broken, where there is one
	run      func(*letter) []Place
}

// checks is the table of contents of what is looked at. Each row has a row in
// weights.txt and fixtures in testdata/checks.
var checks = slices.Concat(subjectChecks, senderChecks, formChecks, mimeChecks, htmlChecks, hiddenChecks, imageChecks, linkChecks, bulkChecks, wordChecks, phraseChecks, attachmentChecks, displayChecks)

// Checks returns the codes of all checks, in their order.
func Checks() []string {
	codes := make([]string, len(checks))
	for i, c := range checks {
		codes[i] = c.code
	}
	return codes
}
