package content_test

import (
	"bytes"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rebound-mail/rebound/content"
)

// clean is a mail in which nothing is wrong; fixtures change it.
const clean = "From: Anna Shop <anna@shop.example>\r\nTo: ben@recipient.example\r\nSubject: The shoes that you asked for\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello Ben, the shoes that you asked for have come in your size. We keep them for you until Friday evening. See you soon in our little shop by the river. Anna\r\n"

// page wraps HTML into a mail with the same words in plain text.
func page(html string) string {
	return strings.Replace(clean, "Content-Type: text/plain; charset=utf-8\r\n\r\n", "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", 1) +
		"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + document(html) + "\r\n--b--\r\n"
}

// words are those of clean, for HTML that need not differ from its plain text.
const words = "Hello Ben, the shoes that you asked for have come in your size. We keep them for you until Friday evening. See you soon in our little shop by the river. Anna"

func document(html string) string {
	return "<!doctype html>\n<html><head><meta name=viewport content=\"width=device-width\"></head>\n<body>" + html + "<p>" + words + "</p></body></html>"
}

func analyze(t testing.TB, raw string) *content.Report { return weighed(t, raw, nil) }

func weighed(t testing.TB, raw string, w *content.Weights) *content.Report {
	t.Helper()
	r, err := content.Analyze(strings.NewReader(raw), &content.Options{Now: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC), Weights: w})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func find(r *content.Report, code string) *content.Finding {
	for i := range r.Findings {
		if r.Findings[i].Code == code {
			return &r.Findings[i]
		}
	}
	return nil
}

func with(old, new string) string { return strings.Replace(clean, old, new, 1) }

func subject(s string) string { return with("The shoes that you asked for\r\nDate", s+"\r\nDate") }

func body(s string) string { return clean[:strings.Index(clean, "\r\n\r\n")+4] + s + "\r\n" }

func text(s string) string { return strings.TrimSuffix(clean, "\r\n") + " " + s + "\r\n" }

func header(s string) string { return s + "\r\n" + clean }

// fixtures holds for each check mails that it must find fault with, and mails that are
// near and must pass.
var fixtures = map[string]struct{ fail, pass []string }{
	"subject-capitals":          {[]string{subject("THE SHOES HAVE COME")}, []string{subject("NASA and ESA launch"), subject("OK")}},
	"subject-mostly-capitals":   {[]string{subject("SHOES that CAME IN")}, []string{subject("Shoes that came")}},
	"subject-exclamation":       {[]string{subject("Shoes have come!")}, []string{subject("Shoes have come?")}},
	"subject-exclamations":      {[]string{subject("Shoes!!")}, []string{subject("Shoes! Hats!")}},
	"subject-money":             {[]string{subject("Shoes for $20"), subject("Schuhe für 20 €")}, []string{subject("Shoes for twenty")}},
	"subject-percent":           {[]string{subject("Shoes 20% cheaper")}, []string{subject("Shoes of per cent")}},
	"subject-free":              {[]string{subject("Free shoes")}, []string{subject("Freedom of shoes")}},
	"subject-pharma":            {[]string{subject("Weight of pills")}, []string{subject("Weighty matters")}},
	"subject-blank":             {[]string{subject(" ")}, []string{clean}},
	"subject-short":             {[]string{subject("Hi")}, []string{subject("Hello there")}},
	"subject-missing":           {[]string{strings.Replace(clean, "Subject: The shoes that you asked for\r\n", "", 1)}, []string{subject("")}},
	"subject-spaces":            {[]string{subject("Shoes      here")}, []string{subject("Shoes  here")}},
	"subject-trailing-id":       {[]string{subject("Shoes for you      83qzx"), subject("Shoes [a123456]")}, []string{subject("Shoes of 2026"), subject("Your order 10023345"), subject("Your verification code is 482913")}},
	"subject-raw-8bit":          {[]string{subject("Sch\xfche"), subject("Schühe sind da")}, []string{subject("=?utf-8?q?Sch=C3=BChe?=")}},
	"subject-needless-encoding": {[]string{subject("=?utf-8?q?The_shoes?=")}, []string{subject("=?utf-8?q?Sch=C3=BChe?=")}},
	"subject-gappy":             {[]string{subject("S H O E S here")}, []string{subject("Plan B is a go")}},
	"subject-obfuscated":        {[]string{subject("=?utf-8?q?p=D0=B0ypal?="), subject("V1agra here")}, []string{subject("=?utf-8?q?=D0=BF=D1=80=D0=B8=D0=B2=D0=B5=D1=82?=")}},
	"subject-fake-reply":        {[]string{subject("Re: shoes")}, []string{strings.Replace(subject("Re: shoes"), "Date", "In-Reply-To: <0@a.example>\r\nDate", 1)}},
	"from-missing":              {[]string{with("From: Anna Shop <anna@shop.example>\r\n", ""), with("<anna@shop.example>", "")}, []string{clean}},
	"from-capitals":             {[]string{with("Anna Shop", "ANNA SHOP")}, []string{with("Anna Shop", "IBM")}},
	"from-name-address":         {[]string{with("Anna Shop", "\"service@bank.example\"")}, []string{with("Anna Shop", "\"anna@mail.shop.example\"")}},
	"from-abused-tld":           {[]string{with("anna@shop.example", "anna@example-shop.top")}, []string{clean}},
	"from-digits":               {[]string{with("anna@", "anna1234@")}, []string{with("anna@", "anna2@")}},
	"from-noreply":              {[]string{with("anna@", "no-reply@")}, []string{clean}},
	"reply-to-free-mail":        {[]string{header("Reply-To: a@gmail.com")}, []string{header("Reply-To: a@help.example"), strings.Replace(header("Reply-To: a@gmail.com"), "anna@shop.example", "b@gmail.com", 1)}},
	"to-undisclosed":            {[]string{with("ben@recipient.example", "undisclosed-recipients:;")}, []string{clean}},
	"to-many":                   {[]string{with("ben@recipient.example", strings.Repeat("b@r.example, ", 9)+"c@r.example")}, []string{with("ben@recipient.example", strings.Repeat("'a@r.example' <a@r.example>, ", 4)+"b@r.example")}},
	"priority-high":             {[]string{header("X-Priority: 1 (Highest)"), header("Importance: High")}, []string{header("X-Priority: 3")}},
	"message-id-missing":        {[]string{with("Message-ID: <1@shop.example>\r\n", "")}, []string{clean}},
	"message-id-malformed":      {[]string{with("<1@shop.example>", "1@shop.example"), with("<1@shop.example>", "<1>")}, []string{with("<1@shop.example>", "<1@[192.0.2.1]>")}},
	"date-missing":              {[]string{with("Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n", "")}, []string{clean}},
	"date-malformed":            {[]string{with("Tue, 24 Nov 2026 12:00:00 +0000", "yesterday")}, []string{with("Tue, 24 Nov 2026 12:00:00 +0000", "24 Nov 2026 12:00:00 GMT")}},
	"date-far":                  {[]string{with("2026 12", "2027 12")}, []string{clean}},
	"mime-version-missing":      {[]string{with("MIME-Version: 1.0\r\n", "")}, []string{clean}},
	"to-missing":                {[]string{with("To: ben@recipient.example\r\n", "")}, []string{with("To: ", "Cc: ")}},
	"field-twice":               {[]string{header("Subject: more")}, []string{header("X-More: more")}},
	"header-broken":             {[]string{with("MIME-Version", "this is no field\r\nMIME-Version")}, []string{clean}},
	"header-raw-8bit":           {[]string{with("Anna Shop", "Ännä")}, []string{with("Anna Shop", "=?utf-8?q?=C3=84nn=C3=A4?=")}},
	"line-too-long":             {[]string{text(strings.Repeat("shoes ", 200))}, []string{text(strings.Repeat("shoes ", 100))}},
	"nul":                       {[]string{text("a\x00b")}, []string{clean}},
	"bare-cr":                   {[]string{text("a\rb")}, []string{clean}},
	"size-unread":               {[]string{text(strings.Repeat("shoes and hats\r\n", 400000))}, []string{clean}},
	"html-only":                 {[]string{strings.Replace(clean, "text/plain", "text/html", 1)}, []string{page(""), clean}},
	"alternative-no-text":       {[]string{strings.Replace(page(""), "text/plain", "text/calendar", 1)}, []string{page("")}},
	"alternative-differs":       {[]string{strings.Replace(page(""), "Hello Ben, the shoes that you asked for have come in your size. We keep them for you until Friday evening. See you soon in our little shop by the river. Anna", "Quite another thing stands here and shares no word with it", 1)}, []string{page("")}},
	"text-empty":                {[]string{strings.Replace(page(""), words, "", 1)}, []string{page("")}},
	"base64-ascii":              {[]string{strings.Replace(body("SGVsbG8gQmVu"), "utf-8\r\n", "utf-8\r\nContent-Transfer-Encoding: base64\r\n", 1)}, []string{clean}},
	"charset-bad":               {[]string{strings.Replace(text("\xff\xfe!"), "utf-8", "utf-8", 1), strings.Replace(text("ü"), "utf-8", "x-unknown", 1)}, []string{text("ü"), strings.Replace(text("\xfc"), "utf-8", "iso-8859-1", 1)}},
	"charset-missing":           {[]string{strings.Replace(text("ü"), "; charset=utf-8", "", 1)}, []string{text("ü"), strings.Replace(clean, "; charset=utf-8", "", 1)}},
	"charset-ascii":             {[]string{strings.Replace(text("ü"), "utf-8", "us-ascii", 1)}, []string{strings.Replace(clean, "utf-8", "us-ascii", 1)}},
	"mime-broken":               {[]string{strings.TrimSuffix(page(""), "--b--\r\n"), strings.Replace(page(""), "boundary=b", "x=y", 1), with("text/plain;", "text;"), with("\r\n\r\nHello", "\r\nContent-Transfer-Encoding: rot13\r\n\r\nHello")}, []string{page("")}},
	"html-unclosed":             {[]string{page("<div>")}, []string{page("<div></div><p>one<p>two<br><img src=x alt=x>")}},
	"html-unclosed-many":        {[]string{page("<div><b><i>")}, []string{page("<div>")}},
	"html-stray":                {[]string{page("</div>"), page("</>")[:0] + page("</b>")}, []string{page("</p></br>")}},
	"html-misnested":            {[]string{page("<b><i>x</b></i>")}, []string{page("<b><i>x</i></b>")}},
	"html-no-body":              {[]string{strings.NewReplacer("<body>", "", "</body>", "").Replace(page(""))}, []string{page("")}},
	"html-two-bodies":           {[]string{page("<body>")}, []string{page("")}},
	"html-too-deep":             {[]string{page(strings.Repeat("<div>", 600) + strings.Repeat("</div>", 600))}, []string{page(strings.Repeat("<div>", 500) + strings.Repeat("</div>", 500))}},
	"form":                      {[]string{page("<form></form>")}, []string{page("")}},
	"script":                    {[]string{page("<script>x</script>")}, []string{page("<!-- <script> -->")}},
	"iframe":                    {[]string{page("<iframe></iframe>")}, []string{page("")}},
	"object":                    {[]string{page("<embed src=x>")}, []string{page("")}},
	"event-handler":             {[]string{page("<p onclick=x>a</p>")}, []string{page("<p one=x>a</p>")}},
	"meta-refresh":              {[]string{page("<meta http-equiv=refresh content='0;url=x'>")}, []string{page("<meta http-equiv=x>")}},
	"data-uri":                  {[]string{page("<img alt=x src='data:image/png;base64,AA'>")}, []string{page("<img alt=x src=x>")}},
	"text-hidden":               {[]string{page("<p>" + words + words + "</p><div style='display:none'>" + words + "</div>")}, []string{page("<div style='display:none'>The shoes have come, and hats that go with them too.</div>")}},
	"font-zero":                 {[]string{page("<p>" + words + words + "</p><p style='font-size:0'>secret words</p>")}, []string{page("<p style='font-size:0'>A line beside the subject</p>")}},
	"low-contrast":              {[]string{page("<p style='color:#fefefe'>you cannot read this line</p>")}, []string{page("<table bgcolor=black><tr><td style='color:white'>you can read this line</td></tr></table>")}},
	"text-red":                  {[]string{page("<font color=red>red words</font>")}, []string{page("<font color=#800000>words</font>")}},
	"text-large":                {[]string{page(strings.Repeat("<p style='font-size:36px'>big</p>", 3))}, []string{page("<p style='font-size:36px'>big</p>")}},
	"invisible-in-word":         {[]string{text("pass\u200bword")}, []string{text("a \u200c\u00a0\u200c b"), text("می\u200cخواهم")}},
	"bidi":                      {[]string{text("exe\u202etxt")}, []string{text("שלום")}},
	"mixed-script":              {[]string{text("p\u0430yp\u0430l")}, []string{text("привет paypal"), text("Сегодня в\u00a0Google, TGFβ")}},
	"styled-letters":            {[]string{text("\U0001d5d5\U0001d5ee")}, []string{text("Ba")}},
	"gappy":                     {[]string{text("s h o e s")}, []string{text("I a m"), text("4 8 2 9 1 3")}},
	"image-only":                {[]string{strings.Replace(page("<img src=x alt=x>"), "<p>"+words, "<p>Shoes", 1)}, []string{page("<img src=x alt=x>")}},
	"image-little-text":         {[]string{strings.Replace(page("<img src=x alt=x>"), "<p>"+words, "<p>"+words[:100], 1)}, []string{page("<img src=x alt=x><p>" + words + "</p>")}},
	"image-link":                {[]string{strings.Replace(page("<a href='https://shop.example/'><img src=x alt=x></a>"), "<p>"+words, "<p>Shoes", 1)}, []string{page("<a href='https://shop.example/'><img src=x alt=x></a><a href='https://shop.example/2'>two</a>")}},
	"image-no-alt":              {[]string{page("<img src=x>")}, []string{page("<img src=x alt=''><img src=pixel width=1 height=1>")}},
	"link-ip":                   {[]string{text("http://192.0.2.1/x"), page("<a href='http://3221225985/'>x</a>")}, []string{text("http://shop.example/192.0.2.1")}},
	"link-userinfo":             {[]string{page("<a href='https://bank.example@evil.example/'>x</a>")}, []string{page("<a href='https://shop.example/@anna'>x</a>")}},
	"link-port":                 {[]string{text("https://shop.example:8443/")}, []string{text("https://shop.example:443/")}},
	"link-escaped-host":         {[]string{page("<a href='https://sh%6fp.example/'>x</a>")}, []string{page("<a href='https://shop.example/%6f'>x</a>")}},
	"link-digits-host":          {[]string{text("https://shop8472.example/")}, []string{text("https://shop24.example/8472")}},
	"link-shortener":            {[]string{text("https://bit.ly/x")}, []string{text("https://bit.ly.shop.example/x")}},
	"link-abused-tld":           {[]string{text("https://example-shop.top/")}, []string{text("https://top.shop.example/")}},
	"link-text-differs":         {[]string{page("<a href='https://evil.example/'>https://bank.example/</a>")}, []string{page("<a href='https://www.bank.example/login'>https://bank.example/</a>"), page("<a href='https://evil.example/'>bank</a>")}},
	"link-program":              {[]string{text("https://shop.example/setup.exe")}, []string{text("https://shop.example/setup.pdf"), text("https://example.com")}},
	"link-relative":             {[]string{page("<a href='/shoes'>x</a>")}, []string{page("<a href='#top'>x</a><a href='{{url}}'>y</a><a href='mailto:a@shop.example'>z</a>")}},
	"link-http":                 {[]string{page("<a href='http://shop.example/'>x</a>")}, []string{page("<a href='https://shop.example/'>x</a>")}},
	"bulk-no-unsubscribe":       {[]string{header("Precedence: bulk")}, []string{clean, strings.TrimSuffix(header("Precedence: bulk"), "\r\n") + " Unsubscribe: https://shop.example/u\r\n"}},
	"bulk-no-list-unsubscribe":  {[]string{strings.TrimSuffix(header("Precedence: bulk"), "\r\n") + " Unsubscribe: https://shop.example/u\r\n"}, []string{clean}},
	"bulk-no-one-click":         {[]string{header("List-Unsubscribe: <mailto:u@shop.example>")}, []string{header("List-Unsubscribe: <https://shop.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click")}},
	"bulk-no-link":              {[]string{header("List-Unsubscribe: <mailto:u@shop.example>")}, []string{strings.TrimSuffix(header("List-Unsubscribe: <mailto:u@shop.example>"), "\r\n") + " Abmelden: https://shop.example/u\r\n"}},
	"list-unsubscribe":          {[]string{header("List-Unsubscribe: <mailto:u@shop.example>")}, []string{clean}},
	"one-click":                 {[]string{header("List-Unsubscribe: <https://shop.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click")}, []string{header("List-Unsubscribe-Post: List-Unsubscribe=One-Click")}},
	"words-few":                 {[]string{body("Look here")}, []string{clean}},
	"words-few-link":            {[]string{body("Look here https://shop.example/")}, []string{body("Look here"), text("https://shop.example/")}},
	"body-capitals":             {[]string{text("COME SOON AND BRING YOUR FRIENDS")}, []string{clean}},
	"body-capitals-many":        {[]string{text(strings.Repeat("COME SOON WITH YOUR FRIENDS ", 10))}, []string{text("COME SOON WITH")}},
	"exclamation-run":           {[]string{text("Soon!!")}, []string{text("Soon! Now!")}},
	"exclamations":              {[]string{text("Soon! Now! Here!")}, []string{text("Soon! Now!")}},
	"attachment-program":        {[]string{attach("setup.exe", "application/octet-stream")}, []string{attach("list.pdf", "application/pdf")}},
	"attachment-two-extensions": {[]string{attach("list.pdf.exe", "application/octet-stream")}, []string{attach("list.v2.pdf", "application/pdf")}},
	"attachment-html":           {[]string{attach("list.html", "text/html")}, []string{page("")}},
	"attachment-macro":          {[]string{attach("list.xlsm", "application/octet-stream")}, []string{attach("list.xlsx", "application/octet-stream")}},
	"attachment-encrypted":      {[]string{attached("list.zip", "UEsDBBQAAQAIAAAAIQA=")}, []string{attached("list.zip", "UEsDBBQAAAAIAAAAIQA=")}},
	"size-clip":                 {[]string{page(strings.Repeat("<p>"+words+"</p>\n", 700))}, []string{page("")}},
	"stylesheet":                {[]string{page("<link rel=stylesheet href=x>")}, []string{page("<link rel=icon href=x>")}},
	"no-doctype":                {[]string{strings.Replace(page(""), "<!doctype html>", "", 1)}, []string{page("")}},
	"no-viewport":               {[]string{strings.Replace(page("<table></table>"), "viewport", "x", 1)}, []string{page("<table></table>")}},
	"phrases-greeting":          {[]string{text("Dear customer,"), text("DEAR\r\nFRIEND")}, []string{text("Dear Ben, our customer")}},
	"phrases-removal":           {[]string{text("To be removed, write.")}, []string{text("\r\n> To be removed, write."), text("Be happy. Removed.")}},
	"from-name-brand": {
		[]string{with("Anna Shop <anna@shop.example>", "PayPal Service <anna@shop.example>"), with("Anna Shop <anna@shop.example>", "=?utf-8?q?Cr=C3=A9dit_Agricole?= <anna@shop.example>"), with("Anna Shop <anna@shop.example>", "\"Support | Wells-Fargo\" <a@shop.example>")},
		[]string{clean, with("Anna Shop <anna@shop.example>", "PayPal <service@mail.paypal-shop.example>"), with("Anna Shop <anna@shop.example>", "Office 365 <a@microsoft.example>"), with("Anna Shop <anna@shop.example>", "Shop Amazonas <anna@shop.example>")},
	},
	"link-free-host":      {[]string{page("<a href=https://login.pages.dev/x>x</a>"), text("https://a.b.weebly.com/")}, []string{clean, page("<a href=https://pages.dev/>x</a>")}},
	"phrases-opt-out":     {[]string{text("If you no longer wish to get this")}, []string{clean}},
	"phrases-not-spam":    {[]string{text("This is not spam."), text("Dies ist kein Spam.")}, []string{clean}},
	"phrases-pharma":      {[]string{text("viagra"), text("sin receta")}, []string{clean}},
	"phrases-replica":     {[]string{text("replica watches")}, []string{clean}},
	"phrases-finance":     {[]string{text("no credit check")}, []string{clean}},
	"phrases-stock":       {[]string{text("a strong buy")}, []string{clean}},
	"phrases-money":       {[]string{text("make money"), text("Geld verdienen")}, []string{clean}},
	"phrases-urgency":     {[]string{text("act now")}, []string{clean}},
	"phrases-account":     {[]string{text("verify your account"), text("Ihr Konto wurde gesperrt")}, []string{clean}},
	"phrases-prize":       {[]string{text("You have won"), text("hai vinto")}, []string{clean}},
	"phrases-advance-fee": {[]string{text("my next of kin")}, []string{clean}},
	"phrases-adult":       {[]string{text("hot girls")}, []string{clean}},
	"phrases-crypto":      {[]string{text("double your bitcoin")}, []string{clean}},
	"phrases-click":       {[]string{page("<p>Click&nbsp;<b>here</b></p>"), text("cliquez ici")}, []string{page("<p>click</p><p>. here</p>")}},
	"phrases-offer":       {[]string{text("a special offer")}, []string{clean}},
}

func attach(name, media string) string {
	return strings.Replace(page(""), "--b--", "--b\r\nContent-Type: "+media+"\r\nContent-Disposition: attachment; filename=\""+name+"\"\r\n\r\nx\r\n--b--", 1)
}

func attached(name, base64 string) string {
	return strings.Replace(attach(name, "application/zip"), "\r\n\r\nx\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n"+base64+"\r\n", 1)
}

func TestChecks(t *testing.T) {
	table := "version: every\nbias: 0\n"
	for _, code := range content.Checks() {
		table += "\ncode: " + code + "\nweight: 1\nbasis: judgement\n"
	}
	every, err := content.ParseWeights(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range content.Checks() {
		f, ok := fixtures[strings.TrimPrefix(code, "content.")]
		if !ok || len(f.fail) == 0 || len(f.pass) == 0 {
			t.Errorf("%s: no fixtures", code)
		}
		for i, raw := range f.fail {
			got := find(weighed(t, raw, every), code)
			if got == nil {
				t.Errorf("%s: fail %d: not found in\n%.800s", code, i, raw)
				continue
			}
			if got.Text == "" || got.Advice == "" || got.Count == 0 || len(got.Places) == 0 || got.Basis.How == "" {
				t.Errorf("%s: not told in full: %+v", code, got)
			}
			for _, p := range got.Places {
				if p.Part == "" || p.Line < 1 || p.Column < 1 || p.Start > p.End || p.End > len(p.Excerpt) {
					t.Errorf("%s: place %+v", code, p)
				}
			}
		}
		for i, raw := range f.pass {
			if got := find(weighed(t, raw, every), code); got != nil {
				t.Errorf("%s: pass %d: found %+v in\n%.800s", code, i, got.Places, raw)
			}
		}
	}
	for name := range fixtures {
		if !slices.Contains(content.Checks(), "content."+name) {
			t.Errorf("fixtures for %s, which is no check", name)
		}
	}
}

// Words that weigh nothing are not told; other findings without weight are.
func TestWorthlessWords(t *testing.T) {
	r := analyze(t, text("make money, a special offer"))
	if len(r.Findings) != 0 {
		t.Errorf("got %+v", r.Findings)
	}
	if r := analyze(t, page("<a href=x.html>x</a>")); find(r, "content.link-relative") == nil {
		t.Errorf("got %+v", r.Findings)
	}
}

// What is in a mail without faults, and what its author would not want to hear.
func TestNothingFound(t *testing.T) {
	for _, raw := range []string{clean, strings.ReplaceAll(clean, "\r\n", "\n"), "From ben Tue Nov 24 2026\r\n" + clean, page("")} {
		r := analyze(t, raw)
		if len(r.Findings) != 0 || r.Verdict != content.LevelClean || r.Score > 10 {
			t.Errorf("got %v %v %+v for\n%s", r.Score, r.Verdict, r.Findings, raw)
		}
	}
}

// What receivers and lists add changes neither score nor findings.
func TestReceiversHeaders(t *testing.T) {
	added := "Return-Path: <x@y.example>\r\nReceived: from FREE!!! (HELO viagra) ([192.0.2.1])\r\nX-Spam-Status: Yes, score=50\r\nX-Spam-Flag: YES\r\nAuthentication-Results: mx.example; spf=fail\r\n"
	for _, raw := range []string{clean, fixtures["subject-capitals"].fail[0], page("<div>")} {
		a, b := analyze(t, raw), analyze(t, added+raw)
		if a.Score != b.Score || len(a.Findings) != len(b.Findings) {
			t.Errorf("score %v, with added fields %v", a.Score, b.Score)
		}
	}
	list := strings.TrimSuffix(clean, "\r\n") + "\r\n_______________________________________________\r\nshoes mailing list\r\nTo be removed click here!!! viagra\r\n"
	if r := analyze(t, list); len(r.Findings) != 0 {
		t.Errorf("the footer of a list counts: %+v", r.Findings)
	}
}

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		name, raw, code string
		want            content.Place
		marked          string
	}{
		{"field", header("X-Priority: 1"), "content.priority-high", content.Place{Part: "header", Field: "X-Priority", Line: 1, Column: 13}, "1"},
		{"subject", subject("Größe für $20"), "content.subject-money", content.Place{Part: "header", Field: "Subject", Line: 3, Column: 20}, "$20"},
		{"plain", body("Hällo Ben,\r\nact now"), "content.phrases-urgency", content.Place{Part: "1 text/plain", Line: 2, Column: 1}, "act now"},
		{"after a wide letter", body("Hällo act now"), "content.phrases-urgency", content.Place{Part: "1 text/plain", Line: 1, Column: 7}, "act now"},
		{"HTML", page("\n  <div>x<b>y</b>"), "content.html-unclosed", content.Place{Part: "2 text/html", Line: 4, Column: 3}, "<div>"},
		{"words of HTML", page("\n<p>Please <b>act</b>\n   &nbsp;now</p>"), "content.phrases-urgency", content.Place{Part: "2 text/html", Line: 4, Column: 14}, "act \u00a0now"},
		{"the end of a text", header("List-Unsubscribe: <mailto:u@shop.example>"), "content.bulk-no-link", content.Place{Part: "1 text/plain", Line: 2, Column: 1}, ""},
		{"quoted-printable", strings.Replace(body("=48ello=\r\n act=20now"), "utf-8\r\n", "utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", 1), "content.phrases-urgency", content.Place{Part: "1 text/plain", Line: 1, Column: 7}, "act now"},
	} {
		f := find(analyze(t, tt.raw), tt.code)
		if f == nil {
			t.Errorf("%s: not found", tt.name)
			continue
		}
		p := f.Places[0]
		if p.Part != tt.want.Part || p.Field != tt.want.Field || p.Line != tt.want.Line || p.Column != tt.want.Column || p.Excerpt[p.Start:p.End] != tt.marked {
			t.Errorf("%s: got %+v (%q), want %+v (%q)", tt.name, p, p.Excerpt[p.Start:p.End], tt.want, tt.marked)
		}
	}
}

func TestAnalyzeParts(t *testing.T) {
	h := netmail.Header{"Subject": {"Schühe"}, "From": {"Anna <anna@shop.example>"}}
	r := content.AnalyzeParts(h, words, document("<div>"), nil)
	if len(r.Findings) != 1 || r.Findings[0].Code != "content.html-unclosed" || r.Findings[0].Places[0].Part != "text/html" || r.Findings[0].Places[0].Line != 3 {
		t.Errorf("got %+v", r.Findings)
	}
	if r := content.AnalyzeParts(nil, "", "", nil); r.Verdict != content.LevelClean {
		t.Errorf("an empty template: %v", r.Verdict)
	}
	if r := content.AnalyzeParts(h, "", document(""), nil); find(r, "content.html-only") == nil {
		t.Errorf("HTML alone: %+v", r.Findings)
	}
}

func TestDiff(t *testing.T) {
	d := content.Diff(analyze(t, subject("SHOES HAVE COME!")), analyze(t, subject("Shoes have come for $5!")))
	codes := func(list []content.Finding) string {
		var b strings.Builder
		for _, f := range list {
			fmt.Fprint(&b, f.Code, " ")
		}
		return b.String()
	}
	if codes(d.Fixed) != "content.subject-capitals " || codes(d.Left) != "content.subject-exclamation " || codes(d.New) != "content.subject-money " || d.After >= d.Before {
		t.Errorf("got %v → %v: fixed %s, left %s, new %s", d.Before, d.After, codes(d.Fixed), codes(d.Left), codes(d.New))
	}
}

func TestControl(t *testing.T) {
	raw, err := content.Control(strings.NewReader("Received: from x\r\nDKIM-Signature: v=1\r\n" + page("<script>x</script>")))
	if err != nil {
		t.Fatal(err)
	}
	s := string(raw)
	for _, want := range []string{"From: Anna Shop <anna@shop.example>\r\n", "Subject: The shoes that you asked for\r\n", "Message-ID: <control.1@shop.example>\r\n", "Content-Type: text/plain"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	for _, not := range []string{"Received", "DKIM", "script", "multipart"} {
		if strings.Contains(s, not) {
			t.Errorf("%q in\n%s", not, s)
		}
	}
	if r := analyze(t, s); len(r.Findings) != 0 {
		t.Errorf("a control copy has findings: %+v", r.Findings)
	}
}

func TestGain(t *testing.T) {
	r := analyze(t, subject("SHOES HAVE COME!!!"))
	for _, f := range r.Findings {
		if f.Weight > 0 && f.Gain <= 0 || f.Weight == 0 && f.Gain != 0 {
			t.Errorf("%s: weight %v, gain %v", f.Code, f.Weight, f.Gain)
		}
	}
	if !slices.IsSortedFunc(r.Findings, func(a, b content.Finding) int {
		if a.Weight > b.Weight {
			return -1
		}
		return 1
	}) {
		t.Error("findings are not in the order of their weights")
	}
}

// Every check has a row of weights, every weight is what its row says, and no fault
// weighs below nothing.
func TestWeights(t *testing.T) {
	raw, err := os.ReadFile("weights.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range content.Checks() {
		at := strings.Index(string(raw), "\ncode: "+code+"\n")
		if at < 0 {
			t.Errorf("%s has no row", code)
			continue
		}
		row, _, _ := strings.Cut(string(raw)[at+1:], "\n\n")
		good := strings.Contains(row, "hold: good practice")
		if !good && strings.Contains(row, "weight: -") || !strings.Contains(row, "weight: ") || !strings.Contains(row, "basis: ") {
			t.Errorf("%s: %s", code, row)
		}
	}
	for _, bad := range []string{"", "bias: x\n", "bias: 1\n\ncode: a\nweight: much\n", "no row"} {
		if w, err := content.ParseWeights(strings.NewReader(bad)); err == nil && bad != "" {
			t.Errorf("%q: got %+v", bad, w)
		}
	}
	w, err := content.ParseWeights(strings.NewReader("version: mine\nbias: 9\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := content.Analyze(strings.NewReader(clean), &content.Options{Weights: w}); r.Weights != "mine" || r.Verdict != content.LevelSevere {
		t.Errorf("weights of one's own: %+v", r)
	}
}

func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("REBOUND_CORPUS")
	if dir == "" {
		t.Skip("REBOUND_CORPUS is not set")
	}
	return filepath.Join(dir, "content")
}

// Truncated anywhere, a mail still gives a report.
func TestCutAnywhere(t *testing.T) {
	raw := []byte(attach("list.pdf", "application/pdf"))
	for i := range raw {
		if r, err := content.Analyze(bytes.NewReader(raw[:i]), nil); err != nil || r == nil {
			t.Fatalf("cut at %d: %v", i, err)
		}
		cleaned(t, raw[:i])
	}
}

// Phrases in other languages say that no weight was fitted to them.
func TestLanguages(t *testing.T) {
	for _, tt := range []struct{ say, how, note string }{
		{"viagra", "fitted", ""},
		{"sin receta", "judgement", "es are not fitted"},
		{"Viagra. Sin receta.", "fitted", "es are not fitted"},
	} {
		f := find(analyze(t, text(tt.say)), "content.phrases-pharma")
		if f == nil || f.Basis.How != tt.how || !strings.Contains(f.Basis.Note, tt.note) || tt.note == "" && f.Basis.Note != "" {
			t.Errorf("%s: got %+v", tt.say, f)
		}
	}
}

// Parameters that do not keep to the grammar are read all the same.
func TestLooseParameters(t *testing.T) {
	if r := analyze(t, strings.NewReplacer("boundary=b", "boundary==b", "--b", "--=b").Replace(page(""))); r.Stats.Words == 0 || find(r, "content.mime-broken") == nil {
		t.Errorf("a boundary behind a fault: %+v", r.Stats)
	}
	if r := analyze(t, strings.Replace(attach("a", "application/octet-stream"), "\"a\"", "invoice 1.exe", 1)); find(r, "content.attachment-program") == nil {
		t.Errorf("a name that is not quoted: %+v", r.Findings)
	}
}

func TestLinkDomains(t *testing.T) {
	r := analyze(t, text("https://www.spam.example, (https://example.com); https://example.com] <https://a.example/x>.")+"http://ex\x1b[31m.com/\r\n")
	if got := strings.Join(r.LinkDomains, " "); got != "spam.example example.com a.example" {
		t.Errorf("got %q", got)
	}
}
