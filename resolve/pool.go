package resolve

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxSockets bounds the sockets to one server. Sharing costs a third to a
	// quarter of the processor time of a socket a question; several ports keep
	// an answer as hard to forge as the ports and IDs together (RFC 5452).
	maxSockets = 8
	// maxUses retires a socket, so that ports change under steady load.
	maxUses = 4096
)

// A reply is what a socket hands to a query: a packet with its ID, or the error of
// the socket.
type reply struct {
	data []byte
	err  error
	from *pool
}

// A query waits for replies under one ID on the sockets it was sent over.
type query struct {
	id      uint16
	name    string
	t       Type
	packet  []byte // the question as it is sent
	replies chan reply
	timer   *time.Timer
	sent    []*socket
}

// send registers the query with a socket of the pool and sends the packet.
func (q *query) send(p *pool) error {
	s, err := p.take(q)
	if err != nil {
		return err
	}
	q.sent = append(q.sent, s)
	_, err = s.conn.Write(q.packet)
	return err
}

// done withdraws the query from its sockets.
func (q *query) done() {
	for _, s := range q.sent {
		s.pool.drop(s, q)
	}
	q.sent = q.sent[:0]
}

// A pool holds the open sockets to one server.
type pool struct {
	server netip.AddrPort
	text   string // of server

	mu   sync.Mutex
	open []*socket
	next int
}

// A socket is one connected UDP socket with the queries in flight over it. It
// lives as long as there are any; waiting is guarded by the pool's mu.
type socket struct {
	pool    *pool
	conn    *net.UDPConn
	waiting map[uint16][]*query
	flight  int
	uses    int
}

// take returns a socket that q is registered with: a new one while there are
// few, then the open ones in turn.
func (p *pool) take(q *query) (*socket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s *socket
	if len(p.open) < maxSockets {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.server))
		if err != nil {
			return nil, err
		}
		s = &socket{pool: p, conn: conn, waiting: map[uint16][]*query{}}
		p.open = append(p.open, s)
		go s.read()
	} else {
		p.next++
		s = p.open[p.next%len(p.open)]
	}
	s.waiting[q.id] = append(s.waiting[q.id], q)
	s.flight++
	s.uses++
	if s.uses == maxUses {
		p.forget(s)
	}
	return s, nil
}

// drop withdraws q from s, and closes s when it was the last.
func (p *pool) drop(s *socket, q *query) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := s.waiting[q.id]
	for i, other := range queue {
		if other == q {
			queue = append(queue[:i:i], queue[i+1:]...)
			break
		}
	}
	if len(queue) == 0 {
		delete(s.waiting, q.id)
	} else {
		s.waiting[q.id] = queue
	}
	s.flight--
	if s.flight == 0 {
		p.forget(s)
		s.conn.Close()
	}
}

// forget takes s off the open sockets; questions in flight still end on it.
func (p *pool) forget(s *socket) {
	for i, other := range p.open {
		if other == s {
			p.open = append(p.open[:i], p.open[i+1:]...)
			return
		}
	}
}

// read hands out what arrives until the socket is closed.
func (s *socket) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			// An ICMP error ("connection refused") arrives here and concerns
			// all questions in flight; after Close there are none.
			if !s.broadcast(err) {
				return
			}
			continue
		}
		if n < 12 {
			continue
		}
		s.deliver(binary.BigEndian.Uint16(buf), buf[:n])
	}
}

// deliver gives a copy of a packet to the queries of its ID. Each sees for itself
// whether the packet answers it: one that cannot be read, or that carries the ID
// and another question, may be forged.
func (s *socket) deliver(id uint16, packet []byte) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, q := range s.waiting[id] {
		q.offer(reply{data: bytes.Clone(packet), from: s.pool})
	}
}

// broadcast tells all queries of s about an error of the socket; false means
// that there are none left.
func (s *socket) broadcast(err error) bool {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, queue := range s.waiting {
		for _, q := range queue {
			q.offer(reply{err: err, from: s.pool})
		}
	}
	return len(s.waiting) > 0
}

func (q *query) offer(r reply) {
	select {
	case q.replies <- r:
	default:
	}
}
