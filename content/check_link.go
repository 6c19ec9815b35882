package content

import (
	"regexp"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

var linkChecks = []check{
	{"content.link-ip", finding.Warning, "A link leads to an IP address.", "Link to a host of your own domain.", "", eachLink(func(m *letter, l *link) bool { return l.url.ip })},
	{"content.link-userinfo", finding.Warning, "A link has a name before the host (name@host).", "Take the name and the @ out; it hides where the link leads.", "RFC 3986, section 7.6", eachLink(func(m *letter, l *link) bool { return l.url.user })},
	{"content.link-port", finding.Info, "A link names a port.", "Serve the page on the usual port.", "", eachLink(func(m *letter, l *link) bool {
		return l.url.port != "" && l.url.port != "80" && l.url.port != "443"
	})},
	{"content.link-escaped-host", finding.Warning, "The host of a link is written with %-escapes.", "Write the host in plain letters.", "RFC 3986, section 3.2.2", eachLink(func(m *letter, l *link) bool { return l.url.escaped })},
	{"content.link-digits-host", finding.Notice, "The host of a link has a run of digits.", "Link to a host of your own domain, with a name that says whose it is.", "", eachLink(func(m *letter, l *link) bool {
		return !l.url.ip && !strings.HasPrefix(l.url.org, "xn--") && strings.ContainsAny(l.url.org, "0123456789") && hostDigits.MatchString(l.url.org)
	})},
	{"content.link-shortener", finding.Warning, "A link goes through a public shortener.", "Link to the page itself, or shorten with a domain of your own; the shortener's other users share its reputation.", "", eachLink(func(m *letter, l *link) bool {
		short := domainLists()["shorteners"]
		return short[l.url.host] || short[l.url.org] && strings.TrimPrefix(l.url.host, "www.") == l.url.org
	})},
	{"content.link-free-host", finding.Notice, "A link leads to a host where anybody has a page for nothing.", "Link to a page in your own domain; the host's other pages share its reputation.", "", eachLink(func(m *letter, l *link) bool {
		return freeHost(l.url.host)
	})},
	{"content.link-abused-tld", finding.Notice, "A link leads into a top-level domain that much spam links to.", "Link to a domain in a top-level domain that is less abused.", "", eachLink(func(m *letter, l *link) bool { return domainLists()["abused-tlds"][l.url.tld] })},
	{"content.link-text-differs", finding.Info, "A link shows the address of one site and leads to another.", "Show words in place of an address where a link counts clicks.", gmailGuide, eachLink(func(m *letter, l *link) bool {
		if l.text == "" || l.url.org == "" || len(l.text) > 300 || strings.ContainsAny(l.text, " \n@") {
			return false
		}
		shown := l.text
		if !strings.Contains(shown, "://") {
			if !strings.HasPrefix(strings.ToLower(shown), "www.") {
				return false
			}
			shown = "http://" + shown
		}
		t := parseTarget(shown, "", "")
		return t.org != "" && t.org != l.url.org && l.url.org != organization(m.from.domain)
	})},
	{"content.link-program", finding.Notice, "A link leads to a program.", "Link to a page that offers the download.", "", eachLink(func(m *letter, l *link) bool {
		if l.url.host == "" {
			return false
		}
		file, _, _ := strings.Cut(l.href, "?")
		file, _, _ = strings.Cut(file, "#")
		_, file, ok := strings.Cut(strings.TrimPrefix(file[strings.IndexByte(file, ':')+1:], "//"), "/")
		return ok && programs[extension(file)]
	})},
	{"content.link-relative", finding.Info, "A link names no host.", "Write the whole address: https://your.domain/page.", "", eachLink(func(m *letter, l *link) bool {
		h := strings.TrimSpace(l.href)
		return l.at.end > 0 && h != "" && !strings.HasPrefix(h, "#") && !strings.Contains(h, ":") && !strings.ContainsAny(h, "{[%*$") && !strings.HasPrefix(h, "//")
	})},
	{"content.link-http", finding.Info, "A link is not encrypted (http://).", "Link to https://.", "", eachLink(func(m *letter, l *link) bool { return l.url.scheme == "http" && l.part.page != nil })},
}

var (
	hostDigits = regexp.MustCompile(`\d{4}|\d[a-z-]+\d[a-z-]*\d`)
	programs   = map[string]bool{"exe": true, "scr": true, "pif": true, "bat": true, "cmd": true, "msi": true, "jar": true, "vbs": true, "hta": true, "apk": true}
)

// freeHost reports whether a host lies below one of the hosts of free pages.
func freeHost(host string) bool {
	for {
		_, parent, ok := strings.Cut(host, ".")
		if !ok {
			return false
		}
		if domainLists()["free-hosts"][parent] {
			return true
		}
		host = parent
	}
}

// eachLink marks the links for which is holds.
func eachLink(is func(*letter, *link) bool) func(*letter) []Place {
	return func(m *letter) []Place {
		var all []Place
		for i := range m.links {
			l := &m.links[i]
			if is(m, l) {
				all = m.tell(all, func() Place { return l.part.place(l.at) })
			}
		}
		return all
	}
}
