// Command rebound says why a mail was refused and what to do about it.
//
//	rebound diagnose bounce.eml
//	rebound diagnose -reply '554 5.7.1 …' -ip 198.51.100.7
//	rebound bounce -json mailbox.mbox
//	rebound recheck case.json
//	rebound dnsbl 198.51.100.7 shop.example
//	rebound auth shop.example
//	rebound content newsletter.eml
//	rebound warmup plan -target 1000000
//
// Each command explains itself with -h. The exit status is 0 when the job was
// done, 2 when nothing at all could be said; with -exit-code it is 1 when
// something was found.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound/bounce"
)

// The exit statuses.
const (
	exitDone    = 0
	exitFound   = 1
	exitNothing = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// app is one run of the command: its streams, and what it has to tell at the end.
type app struct {
	in       io.Reader
	out, err io.Writer
	rules    *bounce.Rules // that lines of a log are read by

	shown  int  // reports for people
	pages  int  // reports as pages
	done   int  // inputs about which something could be said
	unread int  // inputs that triage could not read
	found  bool // something was found
}

// run runs the command and returns its exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := &cli.Command{
		Name: "rebound", Usage: "say why a mail was refused, and how to get the next one delivered",
		Version: version(), EnableShellCompletion: true, Reader: in, Writer: out, ErrWriter: errOut,
		Commands:       []*cli.Command{a.diagnoseCommand(), a.bounceCommand(), a.dnsblCommand(), a.authCommand(), a.contentCommand(), a.warmupCommand(), a.recheckCommand(), a.triageCommand(), a.serveCommand(), a.schemaCommand(), a.manCommand()},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	plainUsageErrors(root)
	root.Action = func(_ context.Context, c *cli.Command) error {
		if c.NArg() > 0 {
			return fmt.Errorf("there is no command %q; the commands are diagnose, bounce, dnsbl, auth, content, warmup, recheck, triage, serve, schema and man", c.Args().First())
		}
		return cli.ShowRootCommandHelp(c)
	}
	err := root.Run(ctx, args)
	switch {
	case errors.Is(err, errFound):
		return exitFound
	case err != nil:
		a.complain(err)
		return exitNothing
	}
	return exitDone
}

// plainUsageErrors makes a wrong flag, of c or a command below it, an error like another:
// without it, the help is written in place of the output, and the error twice.
func plainUsageErrors(c *cli.Command) {
	c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err }
	for _, sub := range c.Commands {
		plainUsageErrors(sub)
	}
}

// errFound asks for exit status 1.
var errFound = errors.New("something was found")

// complain writes one line about what went wrong.
func (a *app) complain(err error) {
	fmt.Fprintf(a.err, "rebound: %s\n", strings.Join(strings.Fields(err.Error()), " "))
}

// finish turns what was done into the command's result.
func (a *app) finish(c *cli.Command) error {
	switch {
	case a.done == 0:
		return errors.New("nothing could be said about any input")
	case a.found && c.Bool("exit-code"):
		return errFound
	}
	return nil
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
