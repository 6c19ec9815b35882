package bounce

import (
	"slices"
	"testing"
)

// Replies in the words in which receivers name lists: the list and the item.
func TestListsAreRecognised(t *testing.T) {
	for _, tt := range []struct{ reply, list, item string }{
		{"554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org", "zen.spamhaus.org", "198.51.100.7"},
		{"550 5.7.1 198.51.100.7 is on sbl.spamhaus.org", "sbl.spamhaus.org", "198.51.100.7"},
		{"554 198.51.100.7 is listed on the Exploits Block List", "xbl.spamhaus.org", "198.51.100.7"},
		{"554 198.51.100.7 is in the Policy Block List", "pbl.spamhaus.org", "198.51.100.7"},
		{"550 mail from 198.51.100.7 rejected, sbl-xbl.spamhaus.org", "sbl-xbl.spamhaus.org", "198.51.100.7"},
		{"550 5.7.1 Blocked, see https://www.spamhaus.org/query/ip/198.51.100.7", "Spamhaus", "198.51.100.7"},
		{"550 5.7.1 Blocked, see https://check.spamhaus.org/listed/?searchterm=198.51.100.7.", "Spamhaus", "198.51.100.7"},
		{"550 5.7.1 Blocked, see https://check.spamhaus.org/listed/?searchterm=2001:db8::7", "Spamhaus", "2001:db8::7"},
		{"550 5.7.1 [198.51.100.7] blocked using spamhaus", "Spamhaus", "198.51.100.7"},
		{"554 5.7.1 Sender rejected, https://www.spamhaus.org/query/domain/shop.example", "dbl.spamhaus.org", "shop.example"},
		{"550 198.51.100.7 blocked, http://www.abuseat.org/lookup.cgi?ip=198.51.100.7", "cbl.abuseat.org", "198.51.100.7"},
		{"550 [192.0.2.25] Rejected, http://www.barracudanetworks.com/reputation/?pr=1&ip=198.51.100.7", "b.barracudacentral.org", "198.51.100.7"},
		{"550 Client blocked, http://bbl.barracudacentral.com/q.cgi?ip=198.51.100.7", "b.barracudacentral.org", "198.51.100.7"},
		{"554 5.7.1 Blocked - see https://www.spamcop.net/bl.shtml?198.51.100.7", "bl.spamcop.net", "198.51.100.7"},
		{"550 see http://www.spamcop.net/w3m?action=checkblock&ip=198.51.100.7", "bl.spamcop.net", "198.51.100.7"},
		{"550 http://www.sorbs.net/lookup.shtml?198.51.100.7", "dnsbl.sorbs.net", "198.51.100.7"},
		{"550 Listed in PSBL, see http://psbl.org/listing?ip=198.51.100.7", "psbl.surriel.com", "198.51.100.7"},
		{"550 see http://www.uceprotect.net/rblcheck.php?ipr=198.51.100.7", "UCEPROTECT", "198.51.100.7"},
		{"550 198.51.100.7 listed on UCEPROTECT-Level2", "dnsbl-2.uceprotect.net", "198.51.100.7"},
		{"554 198.51.100.7 is on ivmSIP", "invaluement ivmSIP", "198.51.100.7"},
		{"550 198.51.100.7 listed, see mailspike.org/anubis/lookup.html", "bl.mailspike.net", "198.51.100.7"},
		{"550 5.7.1 see https://lookup.abusix.com/search?q=198.51.100.7", "combined.mail.abusix.zone", "198.51.100.7"},
		{"550 198.51.100.7 blocked using bl.0spam.org", "bl.0spam.org", "198.51.100.7"},
		{"550 198.51.100.7 found in all.s5h.net", "all.s5h.net", "198.51.100.7"},
		{"550 see http://www.spamrats.com/bl?198.51.100.7", "all.spamrats.com", "198.51.100.7"},
		{"550 mwinf http://csi.cloudmark.com/reset-request/?ip=198.51.100.7", "Cloudmark CSI", "198.51.100.7"},
		{"554 Blocked - see https://ipcheck.proofpoint.com/?ip=198.51.100.7", "Proofpoint PDR", "198.51.100.7"},
		{"554 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=198.51.100.7", "Proofpoint PDR", "198.51.100.7"},
		{"550 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using Trend Micro RBL+. Please see http://www.mail-abuse.com/cgi-bin/lookup?ip_address=198.51.100.7", "Trend Micro Email Reputation", "198.51.100.7"},
		{"450 4.7.1 198.51.100.7 blocked by ERS-QIL", "Trend Micro Email Reputation", "198.51.100.7"},
		{"554 198.51.100.7 has a poor reputation, see http://www.senderbase.org", "Cisco Talos", "198.51.100.7"},
		{"550 5.7.1 Unfortunately, messages from [198.51.100.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).", "Microsoft's own block list", "198.51.100.7"},
		{"550 5.7.606 Access denied, banned sending IP [198.51.100.7]. To request removal visit https://sender.office.com/", "Microsoft's own block list", "198.51.100.7"},
		{"550 5.7.1 Service unavailable, Client host [198.51.100.7] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/198.51.100.7 (AS16012611)", "Spamhaus", "198.51.100.7"},
		{"553 5.7.1 [BL23] Connections not accepted from 198.51.100.7", "Spamhaus", "198.51.100.7"},
		{"554 For explanation visit https://postmaster.gmx.net/en/case?c=hi&i=ip&v=198.51.100.7&r=0", "GMX and 1&1", "198.51.100.7"},
		{"554 IP=198.51.100.7 - None/bad reputation. (Ask your postmaster for help or to contact tosa@rx.t-online.de for reset. (BL))", "T-Online", "198.51.100.7"},
		{"554 IP=198.51.100.7 - A problem occurred. (Ask your postmaster for help)", "T-Online", "198.51.100.7"},
		{"521 flpi104 DNSBL:ATTRBL 521< 198.51.100.7 >_is_blocked. For assistance forward this error to abuse_rbl@abuse-att.net", "AT&T", "198.51.100.7"},
		{"554 5.7.1 Service unavailable; [198.51.100.7] sa-ip4tset.blagr.emailsrvr.com=127.24.0.2", "Rackspace's mirror of Spamhaus", "198.51.100.7"},
		{"550 5.7.1 client [198.51.100.7] LPN007_102", "bl.score.senderscore.com", "198.51.100.7"},
		{"550 mwinf5c04 ME 198.51.100.7 OFR006_102", "Cloudmark CSI", "198.51.100.7"},
		{"550 198.51.100.7 on the Return Path list, https://senderscore.org/blacklistlookup/", "bl.score.senderscore.com", "198.51.100.7"},
		{"550 http://ipadmin.junkemailfilter.com/remove.php?ip=198.51.100.7", "hostkarma.junkemailfilter.com", "198.51.100.7"},
		{"550 198.51.100.7 is listed, see http://spamrl.com", "SpamRL", "198.51.100.7"},
		{"550 Client host [198.51.100.7] blocked using ix.dnsbl.manitu.net", "ix.dnsbl.manitu.net", "198.51.100.7"},
		{"550 198.51.100.7 blocked using dnsbl.cobion.com", "Cobion", "198.51.100.7"},
		{"554 198.51.100.7 found in rbl.baruwa.net", "Baruwa", "198.51.100.7"},
		{"550 198.51.100.7 refused, http://bsn.borderware.com/lookup.php?ip=198.51.100.7", "BorderWare", "198.51.100.7"},
		{"550 198.51.100.7 in rbl.knology.net", "Knology", "198.51.100.7"},
		{"550 http://antispam.imp.ch/spamikaze/remove.php?ip=198.51.100.7", "spamrbl.imp.ch", "198.51.100.7"},
		{"550 http://www.sophos.com/security/ip-lookup?ip=198.51.100.7 listed", "Sophos", "198.51.100.7"},
		{"550 198.51.100.7 http://www.backscatterer.org/?ip=198.51.100.7", "ips.backscatterer.org", "198.51.100.7"},
		{"550 https://dronebl.org/lookup?ip=198.51.100.7", "dnsbl.dronebl.org", "198.51.100.7"},
		{"550 198.51.100.7 listed, see gbudb.com", "truncate.gbudb.net", "198.51.100.7"},
		{"550 198.51.100.7 is on LashBack's UBL, http://blacklist.lashback.com", "ubl.unsubscore.com", "198.51.100.7"},
		{"550 198.51.100.7 https://matrix.spfbl.net/198.51.100.7", "dnsbl.spfbl.net", "198.51.100.7"},
		{"550 198.51.100.7 in db.wpbl.info", "db.wpbl.info", "198.51.100.7"},
		{"550 Sender shop.example is in dsn.rfc-clueless.org", "dsn.rfc-clueless.org", "shop.example"},
		{"554 5.7.1 Service unavailable; Sender address [news@shop.example] blocked using dbl.spamhaus.org", "dbl.spamhaus.org", "shop.example"},
		{"554 5.7.1 Service unavailable; Client host [mail.shop.example] blocked using zen.spamhaus.org", "zen.spamhaus.org", "mail.shop.example"},
		{"550 Message rejected, URL listed at multi.surbl.org", "multi.surbl.org", ""},
		{"550 5.7.1 Blocked, http://lookup.uribl.com/?domain=shop.example", "multi.uribl.com", "shop.example"},
		{"554 5.7.1 Comcast 198.51.100.7 BL000100", "bl.score.senderscore.com", "198.51.100.7"},
		{"554 cox 198.51.100.7 blocked. AUP#IPBL0100", "invaluement ivmSIP", "198.51.100.7"},
		{"552 5.2.0 refused. AUP#URLBL011", "multi.surbl.org", ""},
		{"554 charter 198.51.100.7 blocked. AUP#1210", "Cloudmark CSI", "198.51.100.7"},
		{"554 p3plibsmtp01.prod.phx3.secureserver.net bizsmtp IB106. Connection refused. 198.51.100.7", "pbl.spamhaus.org", "198.51.100.7"},
		// Lists that no table knows, in the wordings that mail servers have for any.
		{"554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using bl.receiver.example", "bl.receiver.example", "198.51.100.7"},
		{"550 5.7.1 Rejected: 198.51.100.7 listed at https://bl.receiver.example/", "bl.receiver.example", "198.51.100.7"},
		{"550 rejected because 198.51.100.7 is in a black list at bl.receiver.example", "bl.receiver.example", "198.51.100.7"},
		{"550 5.7.1 Mail from 198.51.100.7 refused by the DNSBL bl.receiver.example", "bl.receiver.example", "198.51.100.7"},
		{"550 5.7.1 [198.51.100.7] is blocked, see the lookup site 'bl.receiver.example.'", "bl.receiver.example", "198.51.100.7"},
		{"550 JunkMail rejected - mail.shop.example [198.51.100.7]:41234 is in an RBL on bl.receiver.example, see why", "bl.receiver.example", "198.51.100.7"},
	} {
		rec := ParseReply(tt.reply).Recipients[0]
		at := slices.IndexFunc(rec.Mentions, func(m Mention) bool { return m.Kind == MentionList && m.Value == tt.list })
		if at < 0 {
			t.Errorf("%q names %v, want %s", tt.reply, rec.Lists(), tt.list)
		} else if got := rec.Mentions[at].Item; got != tt.item {
			t.Errorf("%q: item %q, want %q", tt.reply, got, tt.item)
		}
		if rec.Suppress {
			t.Errorf("%q suppresses for %s", tt.reply, rec.Reason)
		}
	}
}

// Texts that hold a host's name or a receiver's trouble with a list, and no
// listing.
func TestNoListing(t *testing.T) {
	for _, reply := range []string{
		"550 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org; Error: open resolver; https://www.spamhaus.org/returnc/pub/192.0.2.53",
		"550 5.7.1 Client host [198.51.100.7] blocked; https://www.spamhaus.org/returnc/vol/",
		"550 5.7.1 Rejected: 198.51.100.7 listed at multi.uribl.com; Query Refused. See http://uribl.com/refused.shtml",
		"450 4.7.1 Client host [198.51.100.7] blocked using grey.rbl.receiver.example",
		"550 User not found in mail.customer.example",
		"550 5.7.1 rejected by the gateway.corp.example policy",
		"550 5.7.1 blocked by mx1.receiver.example",
		"554 5.7.1 198.51.100.7 rejected based on geographical location, cn.countries.nerd.dk",
	} {
		rec := ParseReply(reply).Recipients[0]
		if rec.Reason == IPListed || rec.Reason == DomainListed || rec.Reason == URLReputation {
			t.Errorf("%q: %s by %s, lists %v", reply, rec.Reason, rec.Because.Rule, rec.Lists())
		}
	}
}
