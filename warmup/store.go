package warmup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A Store keeps a [State] for several processes. Rev counts the saves; 0 is a store that
// holds none yet. Save fails with [ErrConflict] unless rev is the newest, and then has
// changed nothing.
type Store interface {
	Load(ctx context.Context) (s State, rev int64, err error)
	Save(ctx context.Context, s State, rev int64) (newRev int64, err error)
}

// ErrConflict is the error of a Save over what somebody else saved meanwhile: load, and
// begin again.
var ErrConflict = errors.New("warmup: somebody else has saved meanwhile")

// maxTries bounds how often Update begins again.
const maxTries = 100

// Update loads the state into a controller made with cfg, lets do work with it, and saves
// it. Where cfg states no target, mix or goals, those of the state hold. When another process saved meanwhile it begins again, so do may run several times
// and must not send before Update has returned: what it was granted counts from then on.
func Update(ctx context.Context, store Store, cfg Config, do func(*Controller) error) error {
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return err
		}
		state, rev, err := store.Load(ctx)
		if err != nil {
			return err
		}
		with := cfg
		if rev > 0 {
			with.Goal.Target = cmp.Or(cfg.Goal.Target, state.Goal.Target)
			if cfg.Goal.Mix == nil {
				with.Goal.Mix = state.Goal.Mix
			}
			if cfg.Goals == nil {
				with.Goals = state.Goals
			}
		}
		c, err := New(with)
		if err != nil {
			return err
		}
		if rev > 0 {
			if err := c.Restore(state); err != nil {
				return err
			}
		}
		if err := do(c); err != nil {
			return err
		}
		if _, err = store.Save(ctx, c.State(), rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

// Mem is a [Store] in memory. The zero value is empty. It is safe for concurrent use.
type Mem struct {
	mu  sync.Mutex
	raw []byte
	rev int64
}

// Load implements [Store].
func (m *Mem) Load(context.Context) (State, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rev == 0 {
		return State{Version: StateVersion}, 0, nil
	}
	s, err := ReadState(bytes.NewReader(m.raw))
	return s, m.rev, err
}

// Save implements [Store].
func (m *Mem) Save(_ context.Context, s State, rev int64) (int64, error) {
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		return rev, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if rev != m.rev {
		return rev, ErrConflict
	}
	m.raw, m.rev = b.Bytes(), rev+1
	return m.rev, nil
}

// File is a [Store] in a file of that name. Beside it lies a second name of the newest
// state, NAME.rev-N, and the empty names of some before it, which is how one process sees
// that another has saved. The second name decides: to begin anew or to put back a copy, take
// all of them away, while no program runs. A crash at any moment leaves the old state or the
// new one, whole. It needs a file system with hard links.
type File string

// Load implements [Store].
func (f File) Load(ctx context.Context) (State, int64, error) {
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return State{}, 0, err
		}
		rev, err := f.newest()
		if err != nil {
			return State{}, 0, err
		}
		if rev == 0 {
			return f.plain()
		}
		file, err := os.Open(f.rev(rev))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a newer one has taken its place
		}
		if err != nil {
			return State{}, 0, err
		}
		info, err := file.Stat()
		if err == nil && info.Size() == 0 {
			file.Close()
			continue // a newer one has taken its place
		}
		s, err := ReadState(file)
		file.Close()
		if err != nil {
			return State{}, 0, fmt.Errorf("%s: %w", f.rev(rev), err)
		}
		return s, rev, nil
	}
	return State{}, 0, ErrConflict
}

// plain reads a file that has no second name: none, or one that somebody put there.
func (f File) plain() (State, int64, error) {
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return State{Version: StateVersion}, 0, nil
	}
	if err != nil {
		return State{}, 0, err
	}
	defer file.Close()
	s, err := ReadState(file)
	if err != nil {
		return State{}, 0, fmt.Errorf("%s: %w", string(f), err)
	}
	return s, copied, nil
}

// copied is the revision of a file that was put there without its second name.
const copied = 1

// Save implements [Store].
func (f File) Save(_ context.Context, s State, rev int64) (int64, error) {
	dir, base := filepath.Split(string(f))
	temp, err := os.CreateTemp(dir, base+".tmp-*")
	if err != nil {
		return rev, err
	}
	defer os.Remove(temp.Name())
	err = writeSynced(temp, s)
	if err != nil {
		return rev, err
	}
	newest, err := f.newest()
	if err != nil {
		return rev, err
	}
	if newest != rev && (newest != 0 || rev != copied) {
		return rev, ErrConflict
	}
	next := rev + 1
	if err := os.Link(temp.Name(), f.rev(next)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return rev, ErrConflict
		}
		return rev, err
	}
	// The name was free: no other process has saved over rev, for used names are kept. Only
	// beyond those that are kept might it have been in use before.
	if newest, err = f.newest(); err != nil || newest-next >= keptNames {
		os.Remove(f.rev(next))
		return rev, errors.Join(ErrConflict, err)
	}
	if newest > next { // another has saved over this one already
		return next, nil
	}
	if err := os.Rename(temp.Name(), string(f)); err != nil {
		return next, err
	}
	syncDir(dir)
	return next, f.tidy(next)
}

// keptNames is how many names of old states are kept, empty, so that who is late finds them
// in use.
const keptNames = 16

// tidy empties the names before a revision, and takes the oldest away.
func (f File) tidy(next int64) error {
	revs, err := f.revs()
	for _, r := range revs {
		switch info, statErr := os.Stat(f.rev(r)); {
		case r >= next || statErr != nil:
		case r <= next-keptNames:
			os.Remove(f.rev(r))
		case info.Size() > 0:
			err = errors.Join(err, f.emptyName(r))
		}
	}
	return err
}

// emptyName puts an empty file in the place of a revision, so that its name is never free.
func (f File) emptyName(r int64) error {
	dir, base := filepath.Split(string(f))
	temp, err := os.CreateTemp(dir, base+".tmp-*")
	if err != nil {
		return err
	}
	temp.Close()
	if err := os.Rename(temp.Name(), f.rev(r)); err != nil {
		os.Remove(temp.Name())
		return err
	}
	return nil
}

func writeSynced(file *os.File, s State) error {
	err := s.Write(file)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the names of a folder last. Where a system cannot, its own order must do.
func syncDir(dir string) {
	if dir == "" {
		dir = "."
	}
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

func (f File) rev(n int64) string { return string(f) + ".rev-" + strconv.FormatInt(n, 10) }

// newest is the highest revision that has a name; 0 when none has.
func (f File) newest() (int64, error) {
	revs, err := f.revs()
	high := int64(0)
	for _, r := range revs {
		high = max(high, r)
	}
	return high, err
}

func (f File) revs() ([]int64, error) {
	dir, base := filepath.Split(string(f))
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var list []int64
	for {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			if digits, ok := strings.CutPrefix(name, base+".rev-"); ok {
				if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > 0 {
					list = append(list, n)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
