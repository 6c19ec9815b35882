module github.com/rebound-mail/rebound

go 1.26.0

require (
	github.com/miekg/dns v1.1.73
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
)

require golang.org/x/text v0.43.0

require github.com/urfave/cli/v3 v3.14.0

require github.com/emersion/go-message v0.18.2

require (
	github.com/emersion/go-msgauth v0.7.0
	golang.org/x/crypto v0.58.0 // indirect
)
