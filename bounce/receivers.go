package bounce

import (
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/internal/stanza"
)

// A receiver is a provider that can be told from the name of its host or from
// texts that only it sends. The domain of the recipient says nothing: many
// domains are hosted elsewhere.
type receiver struct {
	id, name string
	suffixes []string // ".mail.protection.example", "mx*.gmx.example" or a whole host name
	texts    []string // markers
}

func readReceivers(table string) ([]receiver, error) {
	rows, err := stanza.Parse(strings.NewReader(table))
	if err != nil {
		return nil, err
	}
	var receivers []receiver
	for _, row := range rows {
		var r receiver
		for _, f := range row.Fields {
			switch f.Key {
			case "id":
				r.id = f.Value
			case "name":
				r.name = f.Value
			case "suffix":
				r.suffixes = append(r.suffixes, lower(f.Value))
			case "text":
				r.texts = append(r.texts, f.Value)
			case "domain", "source": // for the reader of the table
			default:
				return nil, stanza.Error(f.Line, "a receiver has no %q", f.Key)
			}
		}
		if r.id == "" || len(r.suffixes)+len(r.texts) == 0 {
			return nil, stanza.Error(row.Line, "a receiver has an id and a suffix or a text")
		}
		receivers = append(receivers, r)
	}
	return receivers, nil
}

// ProviderName returns the display name of a receiver: "Google" of "google". It
// returns "" for one that the package does not know.
func ProviderName(id string) string {
	for _, r := range DefaultRules().receivers {
		if r.id == id {
			return r.name
		}
	}
	return ""
}

func (r *Rules) isReceiver(id string) bool {
	return slices.ContainsFunc(r.receivers, func(known receiver) bool { return known.id == id })
}

// byHost returns the receiver that runs host, or "".
func (r *Rules) byHost(host string) string {
	host = strings.TrimSuffix(lower(host), ".")
	if host == "" {
		return ""
	}
	best, length := "", 0
	for _, rec := range r.receivers {
		for _, suffix := range rec.suffixes {
			if len(suffix) > length && hostMatches(host, suffix) {
				best, length = rec.id, len(suffix)
			}
		}
	}
	return best
}

// hostMatches compares a host name with ".suffix", "whole.name" or a name in
// which "*" stands for any letters of one label.
func hostMatches(host, suffix string) bool {
	if strings.Contains(suffix, "*") {
		return globs(host, suffix)
	}
	if suffix[0] == '.' {
		return strings.HasSuffix(host, suffix) || host == suffix[1:]
	}
	return host == suffix
}

// globs compares label by label; a label of the pattern holds at most one "*".
func globs(host, pattern string) bool {
	labels, wanted := strings.Split(host, "."), strings.Split(pattern, ".")
	if wanted[0] == "" && len(labels) >= len(wanted)-1 {
		wanted = wanted[1:]
		labels = labels[len(labels)-len(wanted):]
	}
	if len(labels) != len(wanted) {
		return false
	}
	for i, w := range wanted {
		before, after, star := strings.Cut(w, "*")
		if !star && labels[i] != w || star && (len(labels[i]) < len(before)+len(after) || !strings.HasPrefix(labels[i], before) || !strings.HasSuffix(labels[i], after)) {
			return false
		}
	}
	return true
}
