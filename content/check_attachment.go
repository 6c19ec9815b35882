package content

import (
	"path"
	"slices"
	"strings"

	"github.com/rebound-mail/rebound/finding"
)

// refused are the names that Gmail refuses
// (https://support.google.com/mail/answer/6590, read 2026-11).
var refused = strings.Fields("ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll")

var attachmentChecks = []check{
	{"content.attachment-program", finding.Critical, "A program is attached.", "Link to it; Gmail refuses such attachments.", "https://support.google.com/mail/answer/6590", attached(func(p *part) bool { return slices.Contains(refused, extension(p.name)) })},
	{"content.attachment-two-extensions", finding.Warning, "The name of an attachment ends in two types.", "Give the file one type.", "", attached(func(p *part) bool {
		inner := extension(strings.TrimSuffix(p.name, path.Ext(p.name)))
		return slices.Contains(documents, inner) && extension(p.name) != inner && (slices.Contains(refused, extension(p.name)) || extension(p.name) == "html" || extension(p.name) == "htm" || extension(p.name) == "zip")
	})},
	{"content.attachment-html", finding.Notice, "An HTML file is attached.", "Put the text into the mail, or link to the page; phishing attaches HTML.", "", attached(func(p *part) bool {
		e := extension(p.name)
		return p.attachment && (p.media == "text/html" || e == "html" || e == "htm" || e == "shtml" || e == "xhtml" || e == "svg")
	})},
	{"content.attachment-macro", finding.Warning, "A document that may hold macros is attached.", "Send it without macros, as .docx, .xlsx or PDF.", "https://support.google.com/mail/answer/6590", attached(func(p *part) bool {
		return slices.Contains([]string{"docm", "xlsm", "pptm", "dotm", "xltm", "xlam", "xlsb"}, extension(p.name))
	})},
	{"content.attachment-encrypted", finding.Notice, "An archive that is locked with a password is attached.", "Send it in another way; receivers that cannot look into an archive refuse it.", "https://support.google.com/mail/answer/6590", encryptedArchives},
}

var documents = strings.Fields("pdf doc docx xls xlsx ppt pptx txt rtf jpg jpeg png gif csv")

func extension(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Ext(strings.TrimRight(name, " .")), "."))
}

func attached(is func(*part) bool) func(*letter) []Place {
	return func(m *letter) []Place {
		var all []Place
		for _, p := range m.parts {
			if p.name != "" && is(p) {
				all = append(all, m.inHeader(p))
			}
		}
		return all
	}
}

// inHeader is the place of the field that names the file of p.
func (m *letter) inHeader(p *part) Place {
	for _, name := range []string{"content-disposition", "content-type"} {
		f := p.field(name)
		if f == nil {
			continue
		}
		s := decodeWords(f.unfolded())
		if at := strings.Index(s, p.name); at >= 0 {
			return m.inField(f, s, at, at+len(p.name))[0]
		}
		return m.whole(f)[0]
	}
	return m.inRaw(p.headerAt)[0]
}
