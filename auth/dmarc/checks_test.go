package dmarc

import (
	"context"
	"testing"

	"github.com/rebound-mail/rebound/auth/internal/fixture"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

func TestChecks(t *testing.T) {
	var codes []string
	for _, c := range checks {
		codes = append(codes, c.code)
	}
	fixture.Test(t, "dmarc.", codes, func(ctx context.Context, r resolve.Resolver, domain string) []finding.Finding {
		return Inspect(ctx, r, domain).Findings()
	})
}
