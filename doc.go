// Package rebound says why a mail was refused and how to get the next one
// delivered.
//
//	d, err := rebound.Diagnose(ctx, rebound.Case{Bounce: raw})
//	if err != nil {
//		return err
//	}
//	fmt.Println(d.Headline.Why)
//	for _, step := range d.Plan {
//		fmt.Println(step.Who, step.What, step.URL)
//	}
//	for _, address := range d.Suppress {
//		lists.Remove(address)
//	}
//
// A [Case] holds what came back: a bounce message, an SMTP reply, or the error of
// net/smtp, go-smtp, go-mail or gomail; and what the caller knows beside it. The
// [Diagnosis] holds ranked causes, the evidence for each, and a plan in order.
//
// # What it tells
//
// A [Cause] says what the receiver stated, how that compares with what is true
// now ([State]: seen now, not seen now, gone, could not be asked, checkable by
// nobody), whose fault it is, and how certain that is, in a word. What the
// receiver did not state and the checks found comes after what it stated, at most
// two causes; the rest are notes. "Could not tell" is an answer; a guess is not.
//
// An address is put into Diagnosis.Suppress only for a fault of its own, never
// for one of the sender or the receiver. What was known of it before (Case.History) counts:
// a mailbox that is full for the third time is given up, an address that took mail of late
// is not given up for one refusal.
//
// # The checks
//
// Depending on the refusal: block lists for the sending address and the sender's
// domains (package dnsbl), reverse DNS and the HELO name (package auth/iprev),
// SPF, DKIM and DMARC of the mail and its sender's domain (package auth), what a filter
// would dislike in the mail (package content), and the mail servers of the recipient's
// domain. Diagnosis.Checks says how each ended, and why one was not made. Package
// bounce, which reads what came back, works without any of this.
//
// # Shared, and watched
//
// Keep one [Diagnoser]: it remembers what the machine's resolver answered and which block
// lists are ill, and keeps to their operators' limits. Its fields take the caller's own
// wordings (Rules) and lists (Lists) beside those of the library. Progress is told when a
// check begins and ends, Observe with each DNS answer; a [Diagnosis] and an [Event] are
// values that log/slog takes, without any person's address. There is no global state.
//
// # Later, and many at once
//
// [Diagnoser.Triage] puts many bounces with one root together, and diagnoses each root
// once. [Diagnoser.Recheck] asks again later, of a diagnosis that was kept as JSON: which steps
// are done, and whether mail that was held may go.
//
// After a block of bulk mail from an address of one's own, the plan ends with how to begin
// anew, and [Outcome] tells a controller of package warmup what came back.
//
// # What leaves the machine
//
// DNS questions alone, to the resolver of the [Diagnoser]: the sending address and
// the sender's domains below the zones of block lists, the lists' test entries,
// the PTR record of the address and the addresses of the names involved, the MX
// records of the recipient's domain and, where mail found no server, the addresses of their
// hosts, and the SPF, DKIM, DMARC and MX records of the
// sender's domains with the names that they lead to; where the mail was refused for what
// it says, or for no reason that is told, and is at hand, the first five domains of its
// links below domain lists. No URL is fetched, no mail is sent,
// nothing is logged or written. A recording ([resolve.Recorder], [resolve.Replay])
// repeats a diagnosis offline.
//
// # Limits
//
// A bounce is read up to 32 MiB; what lies beyond is named in Diagnosis.Notes. The
// checks end after Diagnoser.Timeout. Input and DNS answers are taken as hostile:
// time and memory are linear in their size, and nothing in them makes the package
// panic. JSON carries a schema version ([Schema]), and package report holds its JSON
// Schema; the wording of texts is not stable.
package rebound
