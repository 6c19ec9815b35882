// Tests of bounce.FromError with the SMTP clients that Go programs use. A module
// of its own, so that none of them is a dependency of rebound.
module github.com/rebound-mail/rebound/bounce/internal/clients

go 1.26.0

require (
	github.com/emersion/go-smtp v0.25.1
	github.com/rebound-mail/rebound v0.0.0
	github.com/wneessen/go-mail v0.8.1
	gopkg.in/gomail.v2 v2.0.0-20160411212932-81ebce5c23df
)

require (
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	gopkg.in/alexcesaro/quotedprintable.v3 v3.0.0-20150716171945-2caba252f4dc // indirect
)

replace github.com/rebound-mail/rebound => ../../..
