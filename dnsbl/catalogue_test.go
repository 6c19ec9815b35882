package dnsbl

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
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
		for _, link := range []string{l.RemovalURL, l.Lookup, l.KeyURL} {
			if u, err := url.Parse(strings.ReplaceAll(link, "{q}", "x")); link != "" && (err != nil || u.Scheme == "" || u.Host == "") {
				t.Errorf("%s: %q is no URL", l.ID, link)
			}
		}
		if l.Usable() && l.Weight >= Medium {
			testHeavyRow(t, l)
		} else if len(l.Unknown) > 0 {
			t.Errorf("%s: only rows of medium weight or more say what is unknown", l.ID)
		}
		for _, entry := range append(slices.Clone(l.Present), l.Absent...) {
			if _, err := below(testName(entry), l.zoneWith(keyMark)); err != nil && entry != noEntry {
				t.Errorf("%s: %q is no test entry", l.ID, entry)
			}
		}
	}
	if rows != 286 || usable != 174 {
		t.Errorf("%d rows, %d usable; want 286 and 174", rows, usable)
	}
}

// testHeavyRow checks that a row of medium weight or more says of every fact that a
// sender needs what it is, or that no source tells.
func testHeavyRow(t *testing.T, l *List) {
	t.Helper()
	if l.Receivers == "" {
		t.Errorf("%s has weight %s without evidence", l.ID, l.Weight)
	}
	who := l.Who
	if n := len(l.Steps); n > 0 && who == "" {
		who = l.Steps[n-1].Who
	}
	told := map[string]bool{
		"code": len(l.Codes) > 0, "refusal": len(l.Refusals) > 0, "limit": l.Limit != "", "removal": l.RemovalURL != "",
		"who": who != "", "expires": l.Expires != "", "cost": l.Cost != "", "step": len(l.Steps) > 0 || l.Action != Block,
	}
	for key, is := range told {
		if unknown := slices.Contains(l.Unknown, key); is == unknown {
			t.Errorf("%s: %s stated %v, unknown %v; want one of them", l.ID, key, is, unknown)
		}
	}
	for _, key := range l.Unknown {
		if _, ok := told[key]; !ok {
			t.Errorf("%s: %q is no fact", l.ID, key)
		}
	}
	if who != "" && askers[who] == "" {
		t.Errorf("%s: who may ask is %q", l.ID, who)
	}
}

func TestByZone(t *testing.T) {
	for zone, want := range map[string]string{
		"zen.spamhaus.org":    "spamhaus-zen",
		"ZEN.Spamhaus.org.":   "spamhaus-zen",
		"zen.dq.spamhaus.net": "spamhaus-zen-dqs",
		"dnsbl.sorbs.net":     "sorbs",
		"cbl.abuseat.org":     "cbl",

		"0123456789abcdef.zen.dq.spamhaus.net": "spamhaus-zen-dqs", // a receiver's key, in a bounce
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
	ids := func(c *Catalogue, k Kind) []string {
		var list []string
		for l := range c.Select(OfKind(k)).All() {
			list = append(list, l.ID)
		}
		return list
	}
	none := Keys{}
	v4 := ids(Default().Asked(none), IPv4)
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
	domains := ids(Default().Asked(none), DomainName)
	if !slices.Contains(domains, "spamhaus-dbl") || slices.Contains(domains, "spamcop") {
		t.Errorf("asked about a domain: %v", domains)
	}
	if all := ids(Default().Askable(none), DomainName); len(all) <= len(domains) {
		t.Errorf("all usable lists of domains are %d", len(all))
	}
	// With keys the public zones are replaced, and keyed lists are added.
	keyed := ids(Default().Asked(Keys{"spamhaus-dqs": Secret("abc123"), "abusix": Secret("def456")}), IPv4|DomainName)
	for id, want := range map[string]bool{"spamhaus-zen": false, "spamhaus-dbl": false, "spamhaus-zen-dqs": true, "spamhaus-dbl-dqs": true, "spamhaus-zrd-dqs": true, "abusix-combined": true, "abusix-black": false, "spamhaus-sbl-dqs": false, "spamcop": true} {
		if slices.Contains(keyed, id) != want {
			t.Errorf("with keys, asked of %s: %v, want %v", id, !want, want)
		}
	}
}

func TestSelect(t *testing.T) {
	ids := func(filters ...Filter) string {
		var list []string
		for l := range Default().Select(filters...).All() {
			list = append(list, l.ID)
		}
		return strings.Join(list, " ")
	}
	if got, want := ids(WithID("sorbs", "spamcop"), (*List).Usable), "spamcop"; got != want {
		t.Errorf("usable of two: %s, want %s", got, want)
	}
	if got := ids(OfKind(DomainName), OfWeight(High), WithoutID("spamhaus-dbl")); !strings.Contains(got, "uribl-multi") || strings.Contains(got, "spamhaus-dbl ") || strings.Contains(got, "spamcop") {
		t.Errorf("heavy domain lists but one: %s", got)
	}
	if got := ids(); len(strings.Fields(got)) != 286 {
		t.Errorf("no filter keeps %d rows", len(strings.Fields(got)))
	}
}

func TestOwnAndWith(t *testing.T) {
	own := Own("BL.One.test.", "bl.two.test ipv4 domain", "bl.one.test", "..", "zen.spamhaus.org")
	var got []string
	for l := range own.All() {
		got = append(got, l.Zone+" "+l.Kinds.String())
	}
	if want := "bl.one.test ipv4 ipv6 domain, bl.two.test ipv4 domain, zen.spamhaus.org ipv4 ipv6 domain"; strings.Join(got, ", ") != want {
		t.Errorf("own lists %q, want %q", strings.Join(got, ", "), want)
	}
	both := Default().With(own)
	if n := len(both.lists); n != len(Default().lists)+2 || both.ByZone("bl.two.test") == nil || both.ByZone("zen.spamhaus.org").ID != "spamhaus-zen" {
		t.Errorf("%d lists together; ZEN is %v", n, both.ByZone("zen.spamhaus.org"))
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
