package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/rebound-mail/rebound"
	"github.com/rebound-mail/rebound/report"
)

func (a *app) recheckCommand() *cli.Command {
	return &cli.Command{
		Name: "recheck", Usage: "ask again what a diagnosis rests on: what is done, and may mail go?", ArgsUsage: "FILE…",
		Description: "FILE holds what \"rebound diagnose -json\" wrote; - is standard input. With -exit-code the status is 1 unless mail may go.\n\n" +
			"   rebound diagnose -json bounce.eml > case.json\n" +
			"   rebound recheck case.json",
		Flags: append(slices.Concat(outputFlags(), reportFlags(), dnsFlags(), tableFlags()),
			&cli.StringFlag{Name: "message", Usage: "the mail as it is now, from `FILE`, where it was changed"},
			&cli.StringFlag{Name: "now", Usage: "take `TIME` for the present"}),
		Action: a.recheck,
	}
}

// recheckLine is a line of "rebound recheck -json".
type recheckLine struct {
	File string `json:"file,omitempty"`
	*rebound.Rechecked
}

func (a *app) recheck(ctx context.Context, c *cli.Command) error {
	if c.NArg() == 0 {
		return errors.New("recheck: no file given; - reads standard input")
	}
	d, source, err := a.diagnoser(c, a.resolver)
	if err != nil {
		return err
	}
	d.Progress = a.progress()
	var message []byte
	if file := c.String("message"); file != "" {
		if message, err = os.ReadFile(file); err != nil {
			return plainError(err)
		}
	}
	for _, name := range c.Args().Slice() {
		err := a.saved(name, func(old *rebound.Diagnosis) error {
			if old.Asked != nil && message != nil {
				old.Asked.Message = message
			}
			r, err := d.Recheck(ctx, old)
			if err != nil {
				return err
			}
			a.done++
			a.found = a.found || r.Resume != rebound.Resume
			return a.show(c, "", report.Recheck(r), recheckLine{name, r}, redactPeople(r.Now))
		})
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			a.complain(fmt.Errorf("%s: %w", name, err))
		}
	}
	if err := source.close(); err != nil {
		return err
	}
	return a.finish(c)
}

// maxSaved bounds a file of diagnoses.
const maxSaved = 256 << 20

// saved reads the diagnoses of a file.
func (a *app) saved(name string, yield func(*rebound.Diagnosis) error) error {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return errors.Unwrap(err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxSaved+1))
	if err != nil {
		return err
	}
	if len(raw) > maxSaved {
		return fmt.Errorf("it is larger than %d MiB", maxSaved>>20)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for n := 1; ; n++ {
		var line struct {
			Error string `json:"error"`
			File  string `json:"file"`
			rebound.Diagnosis
		}
		old := &line.Diagnosis
		switch err := decoder.Decode(&line); {
		case errors.Is(err, io.EOF) && n > 1:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it is empty")
		case errors.As(err, new(*json.UnmarshalTypeError)):
			return errors.New("it is no output of rebound diagnose -json: a value is of another type") // the error names a type of Go
		case err != nil:
			return fmt.Errorf("it is no output of rebound diagnose -json: %w", err)
		case old.Schema > rebound.Schema:
			return fmt.Errorf("it has schema %d, and this program knows %d", old.Schema, rebound.Schema)
		}
		if line.Error != "" && old.Asked == nil {
			a.complain(fmt.Errorf("%s could not be read then: %s", line.File, line.Error))
			continue
		}
		if err := yield(old); errors.Is(err, rebound.ErrNotSaved) {
			a.complain(fmt.Errorf("line %d: %w", n, err))
		} else if err != nil {
			return err
		}
	}
}
