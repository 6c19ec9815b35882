package dnsbl

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryRow(t *testing.T) {
	rows, usable := 0, 0
	c := Default()
	for l := range c.All() {
		rows++
		if l.Usable() {
			usable++
		}
		if !slices.Contains([]string{"alive", "presumed", "private", "disputed", "emptied", "closed", "lists-world", "parked", "unreachable", "renamed", "not-a-list"}, l.Status) {
			t.Errorf("%s: status %q", l.ID, l.Status)
		}
		if l.Usable() && slices.Contains([]string{"emptied", "closed", "lists-world", "parked", "unreachable", "renamed", "not-a-list"}, l.Status) {
			t.Errorf("%s is %s and has weight %s", l.ID, l.Status, l.Weight)
		}
		for _, reference := range []string{l.PartOf, l.Twin} {
			if reference != "" && c.ByID(reference) == nil {
				t.Errorf("%s names %s, which is no row", l.ID, reference)
			}
		}
		if l.Name == "" {
			t.Errorf("%s has no name", l.ID)
		}
		for _, rule := range append(slices.Clone(l.Codes), l.Refusals...) {
			if rule.bit == 0 && rule.ranges[0] != [2]byte{127, 127} {
				t.Errorf("%s: the code %s lies outside 127/8", l.ID, rule.Pattern)
			}
		}
		for _, link := range []string{l.Removal, l.Lookup} {
			if u, err := url.Parse(strings.ReplaceAll(link, "{q}", "x")); link != "" && (err != nil || u.Scheme == "" || u.Host == "") {
				t.Errorf("%s: %q is no URL", l.ID, link)
			}
		}
		for _, rate := range l.Rates {
			_, per, ok := strings.Cut(rate, "/")
			if _, err := time.ParseDuration(per); !ok || err != nil {
				t.Errorf("%s: %q is no rate", l.ID, rate)
			}
		}
		if l.Usable() && l.Weight >= Medium {
			if l.Receivers == "" {
				t.Errorf("%s has weight %s without evidence", l.ID, l.Weight)
			}
			if l.Action == Block && len(l.Steps) == 0 {
				t.Errorf("%s says nothing of how to get off", l.ID)
			}
		}
		for _, entry := range append(slices.Clone(l.Present), l.Absent...) {
			if l.testName(entry) == "" {
				t.Errorf("%s: %q is no test entry", l.ID, entry)
			}
		}
	}
	if rows != 286 || usable != 174 {
		t.Errorf("%d rows, %d usable; want 286 and 174", rows, usable)
	}
}

func TestByZone(t *testing.T) {
	for zone, want := range map[string]string{
		"zen.spamhaus.org":    "spamhaus-zen",
		"ZEN.Spamhaus.org.":   "spamhaus-zen",
		"zen.dq.spamhaus.net": "spamhaus-zen-dqs",
		"dnsbl.sorbs.net":     "sorbs",
		"cbl.abuseat.org":     "cbl",
	} {
		if l := Default().ByZone(zone); l == nil || l.ID != want {
			t.Errorf("ByZone(%s) = %v, want %s", zone, l, want)
		}
	}
	if l := Default().ByZone("example.test"); l != nil {
		t.Errorf("an unknown zone is %s", l.ID)
	}
	if got := Default().ByZone("dnsbl.sorbs.net").Closed(); got != "emptied 2024-06-05" {
		t.Errorf("SORBS is %q", got)
	}
}

func TestAsked(t *testing.T) {
	ids := func(c *Catalogue) []string {
		var list []string
		for l := range c.All() {
			list = append(list, l.ID)
		}
		return list
	}
	v4 := ids(Default().Asked(IP(netip.MustParseAddr("192.0.2.1"))))
	for _, want := range []string{"spamhaus-zen", "barracuda", "spamcop", "psbl", "dnswl"} {
		if !slices.Contains(v4, want) {
			t.Errorf("%s is not asked about an address", want)
		}
	}
	for _, not := range []string{"spamhaus-sbl", "cbl", "sorbs", "uceprotect-3", "spamhaus-zen-dqs", "spamhaus-dbl"} {
		if slices.Contains(v4, not) {
			t.Errorf("%s is asked about an address", not)
		}
	}
	d, _ := Domain("shop.example")
	if got := ids(Default().Asked(d)); !slices.Contains(got, "spamhaus-dbl") || slices.Contains(got, "spamcop") {
		t.Errorf("asked about a domain: %v", got)
	}
	if all := len(ids(Default().Askable(d))); all <= len(ids(Default().Asked(d))) {
		t.Errorf("all usable lists of domains are %d", all)
	}
}

func TestParseRefusesWhatIsWrong(t *testing.T) {
	const good = "id: a\nzone: bl.example\nname: A\nkinds: ipv4\naction: block\nstatus: alive\nweight: low\nsource: s\n"
	if _, err := Parse(strings.NewReader(good + "code: 127.0.0.2 [spam] listed\nrefusal: 127.0.0.255 no\nkey: optional k\n")); err != nil {
		t.Fatalf("the good row: %v", err)
	}
	for name, table := range map[string]string{
		"no id":          strings.Replace(good, "id: a\n", "", 1),
		"no zone":        strings.Replace(good, "zone: bl.example\n", "", 1),
		"no kinds":       strings.Replace(good, "kinds: ipv4\n", "", 1),
		"bad kind":       strings.Replace(good, "ipv4", "ipv5", 1),
		"bad action":     strings.Replace(good, "block", "burn", 1),
		"bad weight":     strings.Replace(good, "low", "heavy", 1),
		"no source":      strings.Replace(good, "source: s\n", "", 1),
		"no status":      strings.Replace(good, "status: alive\n", "", 1),
		"unknown key":    good + "colour: red\n",
		"outside 127/8":  good + "code: 10.0.0.2 listed\n",
		"no meaning":     good + "code: 127.0.0.2\n",
		"bad nature":     good + "code: 127.0.0.2 [odd] listed\n",
		"open nature":    good + "code: 127.0.0.2 [spam listed\n",
		"bad range":      good + "code: 127.0.0.9-127.0.0.2 listed\n",
		"bad octets":     good + "code: 127.0.0.300 listed\n",
		"bit unstated":   good + "code: 8 listed\n",
		"no bit":         "codes: bits\n" + good + "code: 6 listed\n",
		"bad codes":      "codes: many\n" + good,
		"bad key":        good + "key: perhaps\n",
		"bad step":       good + "step: [127.0.0.300] do\n",
		"empty step":     good + "step: [127.0.0.3]\n",
		"bad nature row": good + "nature: odd\n",
		"twice":          good + "\n" + good,
		"no stanza":      "words\n",
	} {
		if _, err := Parse(strings.NewReader(table)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("id: a\nzone: bl.example\nkinds: ipv4 domain\naction: block\nstatus: alive\nweight: low\ncodes: bits\ncode: 8 [spam] x\nrefusal: 127.0.x.1-3 y\npresent: test 127.0.0.2\nsource: s\n", "198.51.100.7", "127.0.0.8")
	f.Fuzz(func(t *testing.T, table, item, answer string) {
		c, err := Parse(strings.NewReader(table))
		if err != nil {
			return
		}
		target, err := ParseTarget(item)
		if err != nil {
			return
		}
		addr, _ := netip.ParseAddr(answer)
		for l := range c.All() {
			if name, err := l.QueryName(target); err == nil && len(name) > 253 {
				t.Fatalf("the name %q is too long", name)
			}
			if addr.IsValid() {
				if s, code, _ := l.Meaning(addr); s == Listed && (!listRange.Contains(addr) || code.Meaning == "") {
					t.Fatalf("%v lists with %v", addr, code)
				}
			}
		}
	})
}
