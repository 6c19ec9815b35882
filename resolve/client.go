package resolve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// tcpTime bounds a question asked again over TCP after a truncated answer.
const tcpTime = 1500 * time.Millisecond

// defaultTries are the waits after each sending of a question. Measured on 100
// lists with 5 % packet loss, 0.1 + 0.3 + 1 s ends 1.6 s sooner than the common
// 0.5 + 1 + 1.5 s and finds the same.
var defaultTries = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

var (
	errNoServer = errors.New("resolve: no DNS server is known")
	errUnread   = errors.New("resolve: the answer could not be read")
)

// A Client asks recursive servers over UDP, and over TCP when an answer is
// truncated. A question is sent again after each wait in Tries, to the next
// server where there are several, under the same ID: a late answer to an
// earlier sending still counts. Questions in flight share a few connected
// sockets on random ports, which are closed when none is in flight.
//
// A Client must not be copied after its first use. It is safe for concurrent
// use.
type Client struct {
	// Servers are asked in this order. With none, every answer is Other.
	Servers []netip.AddrPort
	// Tries are the waits after each sending, of which up to an eighth is left out at
	// random; nil means 0.1, 0.3 and 1 s.
	Tries []time.Duration

	pools atomic.Pointer[[]*pool]
	idle  sync.Pool // of *query
}

// NewClient returns a client of the servers given as "192.0.2.53",
// "192.0.2.53:5353", "2001:db8::53" or "[2001:db8::53]:5353".
func NewClient(servers ...string) (*Client, error) {
	c := &Client{}
	for _, s := range servers {
		if addr, err := netip.ParseAddr(s); err == nil {
			c.Servers = append(c.Servers, netip.AddrPortFrom(addr, 53))
		} else if ap, err := netip.ParseAddrPort(s); err == nil {
			c.Servers = append(c.Servers, ap)
		} else if host, err := netip.ParseAddr(trimBrackets(s)); err == nil {
			c.Servers = append(c.Servers, netip.AddrPortFrom(host, 53))
		} else {
			return nil, fmt.Errorf("resolve: %s is no address of a DNS server", strconv.Quote(s))
		}
	}
	if len(c.Servers) == 0 {
		return nil, errNoServer
	}
	return c, nil
}

func trimBrackets(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		return s[1 : len(s)-1]
	}
	return s
}

// Resolve implements [Resolver].
func (c *Client) Resolve(ctx context.Context, name string, t Type) Answer {
	canonical, err := Name(name)
	if err != nil {
		return failed(name, t, Other, err)
	}
	if len(c.Servers) == 0 {
		return failed(canonical, t, Other, errNoServer)
	}
	start := time.Now()
	a := c.ask(ctx, canonical, t, true)
	a.Took = time.Since(start)
	if a.Server != "" {
		a.At = start.Add(a.Took).UTC().Truncate(time.Second)
	}
	return a
}

// ask sends the question until one server answers, moving to the next server at
// once when one fails.
func (c *Client) ask(ctx context.Context, name string, t Type, edns bool) Answer {
	tries := c.Tries
	if len(tries) == 0 {
		tries = defaultTries
	}
	q := c.query(name, t, len(tries), edns)
	defer c.release(q)

	failure := failed(name, t, Timeout, nil)
	i, sent := 0, 0
	var gaveUp []*pool // the servers that failed; a question to each is enough
	fails := func(p *pool) (all bool) {
		if !slices.Contains(gaveUp, p) {
			gaveUp = append(gaveUp, p)
		}
		return len(gaveUp) >= min(len(c.Servers), len(tries))
	}
	finish := func(a Answer) Answer {
		a.Tries = sent
		return a
	}
	for due := ctx.Err() == nil; ; {
		if due {
			if i == len(tries) {
				return finish(failure)
			}
			wait, p := tries[i], c.pool(i)
			for k := 1; k < len(c.Servers) && slices.Contains(gaveUp, p); k++ {
				p = c.pool(i + k)
			}
			if err := q.send(p); err != nil {
				failure, wait = failed(name, t, Other, unreachable(p.server, err)), 0
				fails(p)
			} else {
				sent++
			}
			q.timer.Reset(wait - jitter(wait))
			due = false
			i++
		}
		select {
		case <-ctx.Done():
			return finish(failed(name, t, Canceled, context.Cause(ctx)))
		case <-q.timer.C:
			due = true
		case r := <-q.replies:
			a, final := c.read(ctx, r, q, edns)
			if final {
				return finish(a)
			}
			if a.Status == Unset { // not for this question
				continue
			}
			if a.Status == Malformed { // perhaps forged: the true answer may still come
				failure = a
				continue
			}
			failure = a
			if fails(r.from) {
				return finish(failure)
			}
			due = i < len(tries)
		}
	}
}

// jitter is up to an eighth of a wait. Questions that were sent together and lost in
// a full buffer are else sent together again, and lost again.
func jitter(wait time.Duration) time.Duration {
	if wait <= 0 {
		return 0
	}
	return time.Duration(rand.Int64N(int64(wait)/8 + 1))
}

// query returns a query that is ready to be sent, an old one where there is one.
func (c *Client) query(name string, t Type, tries int, edns bool) *query {
	q, ok := c.idle.Get().(*query)
	// Room for a reply, a duplicate and an error from each sending; what comes
	// beyond that is dropped by the socket.
	if !ok || cap(q.replies) < 3*tries {
		q = &query{replies: make(chan reply, 3*tries), timer: time.NewTimer(time.Hour)}
	}
	q.id, q.name, q.t = uint16(rand.Uint32()), name, t
	q.packet = appendQuestion(q.packet[:0], name, t, q.id, edns)
	return q
}

// release withdraws a query from its sockets and keeps it for another question.
func (c *Client) release(q *query) {
	q.done()
	q.timer.Stop()
	for len(q.replies) > 0 {
		<-q.replies
	}
	c.idle.Put(q)
}

// read turns what came back into an answer; final is false when another server
// may do better.
func (c *Client) read(ctx context.Context, r reply, q *query, edns bool) (a Answer, final bool) {
	server := r.from.server
	if r.err != nil {
		a = failed(q.name, q.t, Other, unreachable(server, r.err))
		a.Server = r.from.text
		return a, false
	}
	a, kind := readPacket(r.data, q.packet, q.name, q.t)
	switch {
	case kind == otherPacket:
		return a, false
	case kind == cutPacket:
		m, err := askTCP(ctx, server, q.packet)
		switch {
		case ctx.Err() != nil:
			a = failed(q.name, q.t, Canceled, context.Cause(ctx))
		case err != nil:
			a = failed(q.name, q.t, Other, fmt.Errorf("resolve: truncated, and TCP failed: %w", err))
		case m.Id != q.id || m.Truncated || !matches(m, q.name, q.t):
			a = failed(q.name, q.t, Malformed, errUnread)
		default:
			a = answer(m, q.name, q.t)
		}
	case kind == formErr && edns:
		// A server from before EDNS (RFC 6891, section 7).
		a = c.ask(ctx, q.name, q.t, false)
	}
	if a.Server == "" {
		a.Server = r.from.text
	}
	return a, a.Status.Known() || a.Status == Canceled
}

// unreachable names the server and what the system says, without the ports of one
// attempt.
func unreachable(server netip.AddrPort, err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		err = sys.Err
	}
	return fmt.Errorf("resolve: no connection to %s: %w", server, err)
}

// askTCP sends the same packet over TCP (RFC 7766).
func askTCP(ctx context.Context, server netip.AddrPort, packet []byte) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tcpTime)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn := &dns.Conn{Conn: raw}
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	return conn.ReadMsg()
}

// pool returns the sockets to the server for the i-th try.
func (c *Client) pool(i int) *pool {
	pools := c.pools.Load()
	if pools == nil {
		made := make([]*pool, len(c.Servers))
		for k, server := range c.Servers {
			made[k] = &pool{server: server, text: server.String()}
		}
		if c.pools.CompareAndSwap(nil, &made) {
			pools = &made
		} else {
			pools = c.pools.Load()
		}
	}
	return (*pools)[i%len(*pools)]
}
