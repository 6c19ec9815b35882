package warmup

import "strings"

// A Server says whose servers have names that end in Suffix.
type Server struct {
	Suffix   string // "google.com": of mail servers, not of recipients
	Provider Provider
}

// Servers are the mail servers of the large providers. Put your own rows before them:
//
//	table := append(warmup.Servers{{"mx.partner.example", "partner"}}, warmup.DefaultServers()...)
type Servers []Server

// The suffixes of MX records, as of 2026-11: KumoMTA, assets/policy-extras/shaping.toml
// (https://github.com/KumoCorp/kumomta), and the MX records of the providers.
var servers = Servers{
	{"google.com", "google"},
	{"googlemail.com", "google"},
	{"smtp.goog", "google"},
	{"protection.outlook.com", "microsoft"},
	{"mx.microsoft", "microsoft"},
	{"hotmail.com", "microsoft"},
	{"yahoodns.net", "yahoo"},
	{"yahoo.co.jp", "yahoo-japan"},
	{"icloud.com", "apple"},
	{"me.com", "apple"},
	{"comcast.net", "comcast"},
	{"charter.net", "charter"},
	{"cox.net", "cox"},
	{"gmx.net", "gmx"},
	{"web.de", "gmx"},
	{"ui-dns.com", "gmx"},
	{"kundenserver.de", "ionos"},
	{"ionos.com", "ionos"},
	{"t-online.de", "t-online"},
	{"emig.freenet.de", "freenet"},
	{"orange.fr", "orange"},
	{"wanadoo.fr", "orange"},
	{"free.fr", "free"},
	{"sfr.fr", "sfr"},
	{"laposte.net", "laposte"},
	{"libero.it", "libero"},
	{"tiscali.it", "tiscali"},
	{"mail.ru", "mailru"},
	{"yandex.ru", "yandex"},
	{"yandex.net", "yandex"},
	{"qq.com", "qq"},
	{"netease.com", "netease"},
	{"naver.com", "naver"},
	{"zoho.com", "zoho"},
	{"zoho.eu", "zoho"},
	{"protonmail.ch", "proton"},
	{"messagingengine.com", "fastmail"},
	{"mimecast.com", "mimecast"},
	{"pphosted.com", "proofpoint"},
	{"ppe-hosted.com", "proofpoint"},
	{"barracudanetworks.com", "barracuda"},
	{"iphmx.com", "cisco"},
	{"secureserver.net", "godaddy"},
	{"emailsrvr.com", "rackspace"},
	{"amazonaws.com", "amazon"},
}

// DefaultServers returns a copy of the table that comes with the package.
func DefaultServers() Servers { return append(Servers(nil), servers...) }

// ByMX returns the provider whose server an MX host is, by the default table; [Other]
// where it is in no row.
func ByMX(host string) Provider { return servers.ByMX(host) }

// ByMX returns the provider of the first row whose suffix the name of an MX host has.
func (t Servers) ByMX(host string) Provider {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, s := range t {
		if rest, ok := strings.CutSuffix(host, s.Suffix); ok && (rest == "" || strings.HasSuffix(rest, ".")) {
			return s.Provider
		}
	}
	return Other
}
