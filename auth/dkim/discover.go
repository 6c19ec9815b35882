package dkim

import (
	"context"
	"slices"
	"sync"

	"github.com/rebound-mail/rebound/auth/internal/txt"
	"github.com/rebound-mail/rebound/resolve"
)

// A Selector is a name under which services publish keys for their customers.
type Selector struct {
	Name    string
	Service string // who uses it; "" where many do
}

// selectors are the commonest, as of November 2026: those that services document,
// and those that scanners' lists put first. Services whose selectors hold a number
// or a token of the customer (Amazon SES, HubSpot, OVH, SparkPost, Postmark) cannot
// be found so.
var selectors = []Selector{
	{"google", "Google Workspace"},
	{"selector1", "Microsoft 365"},
	{"selector2", "Microsoft 365"},
	{"default", ""},
	{"dkim", ""},
	{"mail", ""},
	{"smtp", ""},
	{"email", ""},
	{"mx", ""},
	{"selector", ""},
	{"s1", "SendGrid, and others"},
	{"s2", "SendGrid, and others"},
	{"smtpapi", "SendGrid"},
	{"k1", "Mailchimp, and others"},
	{"k2", "Mailchimp"},
	{"k3", "Mailchimp"},
	{"mte1", "Mailchimp Transactional"},
	{"mte2", "Mailchimp Transactional"},
	{"mandrill", "Mailchimp Transactional"},
	{"pdk1", "Mailgun"},
	{"pdk2", "Mailgun"},
	{"krs", "Mailgun"},
	{"pic", "Mailgun"},
	{"mailo", "Mailgun"},
	{"mg", "Mailgun"},
	{"pm", "Postmark"},
	{"resend", "Resend"},
	{"brevo1", "Brevo"},
	{"brevo2", "Brevo"},
	{"sendinblue", "Brevo"},
	{"sib", "Brevo"},
	{"mailjet", "Mailjet"},
	{"kl", "Klaviyo"},
	{"kl2", "Klaviyo"},
	{"hs1", "HubSpot"},
	{"hs2", "HubSpot"},
	{"cm", "Campaign Monitor"},
	{"ctct1", "Constant Contact"},
	{"ctct2", "Constant Contact"},
	{"litesrv", "MailerLite"},
	{"ml", "MailerLite"},
	{"acdkim1", "ActiveCampaign"},
	{"acdkim2", "ActiveCampaign"},
	{"dk", "ActiveCampaign"},
	{"zendesk1", "Zendesk"},
	{"zendesk2", "Zendesk"},
	{"intercom", "Intercom"},
	{"freshdesk", "Freshdesk"},
	{"crisp", "Crisp"},
	{"everlytickey1", "Everlytic"},
	{"everlytickey2", "Everlytic"},
	{"mxvault", "Global Micro"},
	{"turbo-smtp", "turboSMTP"},
	{"mailpoet1", "MailPoet"},
	{"mailpoet2", "MailPoet"},
	{"aweber", "AWeber"},
	{"sailthru", "Sailthru"},
	{"m1", "Marketo, and others"},
	{"sf1", "Salesforce"},
	{"sf2", "Salesforce"},
	{"200608", "Salesforce Marketing Cloud"},
	{"neolane", "Adobe Campaign"},
	{"us", "UniSender"},
	{"mimecast", "Mimecast"},
	{"proofpoint", "Proofpoint"},
	{"ppk1", "Proofpoint"},
	{"fm1", "Fastmail"},
	{"fm2", "Fastmail"},
	{"fm3", "Fastmail"},
	{"protonmail", "Proton"},
	{"protonmail2", "Proton"},
	{"protonmail3", "Proton"},
	{"sig1", "iCloud"},
	{"zmail", "Zoho"},
	{"zoho", "Zoho"},
	{"s1024", "Yahoo, and others"},
	{"s2048", "Yahoo, and others"},
	{"mbo0001", "mailbox.org"},
	{"mbo0002", "mailbox.org"},
	{"s1-ionos", "IONOS"},
	{"s2-ionos", "IONOS"},
	{"gm1", "Gandi"},
	{"gm2", "Gandi"},
	{"hostingermail-a", "Hostinger"},
	{"hostingermail-b", "Hostinger"},
	{"titan1", "Titan"},
	{"cf2024-1", "Cloudflare"},
	{"mailru", "Mail.ru"},
	{"dkim1", ""},
	{"mail1", ""},
	{"key1", ""},
	{"x", ""},
	{"v1", ""},
	{"sm", ""},
}

// Selectors returns the names that [Discover] asks for, and whose they are.
func Selectors() []Selector { return slices.Clone(selectors) }

// A Found is a selector that has a key record.
type Found struct {
	Selector
	Key    *Key
	Answer resolve.Answer
	Faults []Fault
}

// A Discovery is what [Discover] found.
type Discovery struct {
	Domain   string
	Given    []Found // what the selectors that were given hold, whatever it is
	Found    []Found // all that have a key: those given first, then in the order of Selectors
	Asked    int
	Failed   int  // questions without an answer
	Wildcard bool // any name below _domainkey gives a record: nothing can be said
}

// wildcardProbe is a selector that nobody uses.
const wildcardProbe = "no-such-selector-f3a9c1"

// workers is how many questions of a discovery are under way at once.
const workers = 8

// Discover asks for the keys of the commonest selectors, and of those that are
// given. What is not found is not absent: a selector may have any name.
func Discover(ctx context.Context, r resolve.Resolver, domain string, more ...string) *Discovery {
	d := &Discovery{Domain: domain}
	var list []Selector
	for _, name := range more {
		list = append(list, Selector{Name: name})
	}
	for _, s := range selectors {
		if !slices.Contains(more, s.Name) {
			list = append(list, s)
		}
	}
	probe := r.Resolve(ctx, wildcardProbe+"._domainkey."+domain, resolve.TXT)
	d.Wildcard = probe.Status == resolve.OK && len(probe.Records) > 0
	all := make([]Found, len(list))
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				all[i].Selector = list[i]
				all[i].Key, all[i].Answer, all[i].Faults = LookupKey(ctx, r, domain, list[i].Name)
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	wg.Wait()
	d.Asked = len(all)
	d.Given = all[:len(more)]
	for _, f := range all {
		switch {
		case !f.Answer.Status.Known():
			d.Failed++
		case f.Answer.Status != resolve.OK:
		case d.Wildcard && sameText(f.Answer, probe):
		case isKey(f):
			d.Found = append(d.Found, f)
		}
	}
	return d
}

// Others are the Found ones that were not given.
func (d *Discovery) Others() []Found {
	return slices.DeleteFunc(slices.Clone(d.Found), func(f Found) bool {
		return slices.ContainsFunc(d.Given, func(g Found) bool { return g.Name == f.Name })
	})
}

// isKey reports whether a record was meant as a key: a wildcard TXT record for
// something else is none.
func isKey(f Found) bool {
	if f.Key == nil {
		return len(f.Answer.Records) > 1
	}
	_, ok := tagValue(f.Key.Tags, "p")
	return ok
}

func sameText(a, b resolve.Answer) bool {
	return len(a.Records) > 0 && len(b.Records) > 0 && txt.Join(a.Records[0].Strings) == txt.Join(b.Records[0].Strings)
}
