package dmarc

import (
	"context"
	"testing"

	"github.com/rebound-mail/rebound/auth/internal/fixture"
	"github.com/rebound-mail/rebound/finding"
	"github.com/rebound-mail/rebound/resolve"
)

func TestChecks(t *testing.T) {
	fixture.Test(t, "dmarc.", checks, func(ctx context.Context, r resolve.Resolver, domain string) []finding.Finding {
		return Inspect(ctx, r, domain).Findings()
	})
}
