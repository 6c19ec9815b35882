package content

import (
	"slices"

	"github.com/rebound-mail/rebound/finding"
)

var wordChecks = []check{
	{"content.words-few", finding.Notice, "The mail has fewer than five words.", "Say what the mail is about.", "", func(m *letter) []Place {
		if n, p := m.wordCount(); p != nil && n < 5 {
			return m.inSeen(p, segment{})
		}
		return nil
	}},
	{"content.words-few-link", finding.Warning, "The mail has a link and fewer than twenty words.", "Say what the link leads to, and why it was sent.", "", func(m *letter) []Place {
		if n, p := m.wordCount(); p != nil && n < 20 && len(m.links) > 0 {
			return m.inSeen(p, segment{})
		}
		return nil
	}},
	{"content.body-capitals", finding.Notice, "One word in ten is in capitals.", "Write words in capitals sparingly.", "", func(m *letter) []Place { return m.shouting(0.1, 0.3) }},
	{"content.body-capitals-many", finding.Warning, "One word in three is in capitals.", "Write the text as sentences.", "", func(m *letter) []Place { return m.shouting(0.3, 2) }},
	{"content.exclamation-run", finding.Warning, "The text has exclamation marks in a row.", "Use one exclamation mark at most.", "", func(m *letter) []Place {
		return m.eachText(func(w *words) []segment { return w.runs })
	}},
	{"content.exclamations", finding.Notice, "The text has three exclamation marks and more.", "End most sentences with a full stop.", "", func(m *letter) []Place {
		for _, p := range m.parts {
			if p.words != nil && p.words.marks >= 3 {
				return m.inSeen(p, p.words.first)
			}
		}
		return nil
	}},
}

// wordCount returns the most words that a text part shows, and that part.
func (m *letter) wordCount() (int, *part) {
	n, most := -1, (*part)(nil)
	for _, p := range m.parts {
		if p.words != nil && p.words.count > n {
			n, most = p.words.count, p
		}
	}
	return n, most
}

// shouting finds a text of twenty long words and more with that share in capitals.
func (m *letter) shouting(least, most float64) []Place {
	for _, p := range m.parts {
		if w := p.words; w != nil && w.long >= 20 {
			if share := float64(w.shouted) / float64(w.long); share >= least && share < most {
				return m.inSeen(p, w.shouts)
			}
		}
	}
	return nil
}

// phraseChecks has a row for each family of phrases.txt.
var phraseChecks = []check{
	family("greeting", finding.Notice, "The mail greets nobody in particular.", "Greet the reader by name, or leave the greeting out."),
	family("removal", finding.Notice, "The mail speaks of removal from a list, as spam does.", "Offer one plain link to unsubscribe, and the List-Unsubscribe field."),
	family("opt-out", finding.Info, "The mail tells how to leave the list in the words that spam uses too.", "Offer one plain link to unsubscribe, and the List-Unsubscribe field."),
	family("not-spam", finding.Notice, "The mail defends itself against being spam.", "Say why the reader gets the mail: where and when they subscribed."),
	family("pharma", finding.Warning, "The mail has words of drug and diet mail.", "Use another word where you can; the link can lead to the product."),
	family("replica", finding.Warning, "The mail has words of mail that sells copies, diplomas or addresses.", "Use another word where you can."),
	family("finance", finding.Notice, "The mail has words of mail that offers credit.", "State the offer soberly, with its terms on a page of yours."),
	family("stock", finding.Notice, "The mail has words of mail that praises shares.", "Link to the page that has the figures."),
	family("money", finding.Notice, "The mail has words of mail that promises money.", "Promise nothing; state what you sell."),
	family("urgency", finding.Notice, "The mail presses its reader.", "State the date until when the offer holds."),
	family("account", finding.Notice, "The mail has words of mail that steals passwords.", "Ask for no data by mail; tell the reader to open your site themselves."),
	family("prize", finding.Notice, "The mail has words of mail that promises prizes.", "State what the reader gets, and for what."),
	family("advance-fee", finding.Notice, "The mail has words of fraud by letter.", "Say who you are and what you want, and leave out secrecy."),
	family("adult", finding.Notice, "The mail has words of adult mail.", "Use other words."),
	family("crypto", finding.Warning, "The mail has words of fraud with cryptocurrencies.", "Promise no gains."),
	family("click", finding.Notice, "The mail tells its reader to click.", "Link the words that say what is behind the link."),
	family("offer", finding.Notice, "The mail has words of advertising.", "Say what is offered, at which price."),
}

func family(name string, s finding.Severity, text, advice string) check {
	return check{"content.phrases-" + name, s, text, advice, "", func(m *letter) []Place {
		found := m.phrases()[name]
		if found == nil {
			return nil
		}
		m.untold += found.count - len(found.places)
		return found.places
	}}
}

// phrasesFound are the phrases of one family that the texts hold, each once.
type phrasesFound struct {
	places    []Place
	count     int
	languages []string
}

// phrases are the phrases that were found, by family.
func (m *letter) phrases() map[string]*phrasesFound {
	if m.families != nil {
		return m.families
	}
	m.families = map[string]*phrasesFound{}
	var seen map[*phrase]bool
	for _, p := range m.parts {
		if p.words == nil {
			continue
		}
		for _, f := range p.words.phrases {
			if seen[f.phrase] {
				continue
			}
			if seen == nil {
				seen = map[*phrase]bool{}
			}
			seen[f.phrase] = true
			found := m.families[f.phrase.family]
			if found == nil {
				found = &phrasesFound{}
				m.families[f.phrase.family] = found
			}
			if !slices.Contains(found.languages, f.phrase.language) {
				found.languages = append(found.languages, f.phrase.language)
			}
			if found.count++; len(found.places) < maxPlaces {
				found.places = append(found.places, p.seenPlace(f.at))
			}
		}
	}
	return m.families
}
