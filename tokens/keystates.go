package tokens

import (
	"slices"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
)

// missingKeyError says that a change needs one more new key. Making it takes too long to
// happen inside a transaction.
type missingKeyError struct{ alg string }

func (e *missingKeyError) Error() string { return "a new key is needed for " + e.alg }

// draft is the key set while a change to it is decided. It is pure, so that the same
// decision can be taken first on a read and then inside the transaction.
type draft struct {
	now      time.Time
	schedule Schedule
	alg      string      // of new keys
	keys     []StoredKey // of one purpose, its own to change
	fresh    []StoredKey // made beforehand, not yet used
	first    bool        // of this purpose no key has ever been: every change leaves two
	changed  map[string]bool
	event    string    // type of the audit event
	subject  string    // kid that the event is about
	ripeAt   time.Time // of a new key
}

// newDraft starts a change of these keys. alg is for a set that has no prepared key: otherwise new keys
// follow that one, so that replicas with different configurations do not undo one another.
func newDraft(keys []StoredKey, schedule Schedule, alg string, fresh []StoredKey, now time.Time) *draft {
	d := &draft{
		now: now, schedule: schedule, alg: alg, fresh: fresh,
		keys: keys, first: len(keys) == 0,
		changed: map[string]bool{}, ripeAt: now.Add(schedule.Ripening()),
	}
	newest := d.keys
	if prepared := d.prepared(); prepared != nil {
		d.alg = prepared.Alg
		newest = []StoredKey{*prepared}
	}
	// A new key waits for the end of every cached set that lacks it. What is cached by now was
	// served while one of these was the newest key; what was cached before that lacks this key too.
	for _, key := range newest {
		cached := now.Add(Schedule{JWKSMaxAge: key.MaxAge}.Ripening())
		d.ripeAt = latest(d.ripeAt, cached, key.RipeAt)
	}
	return d
}

// keysOf copies the keys of a purpose.
func keysOf(set KeySet, purpose Purpose) []StoredKey {
	var keys []StoredKey
	for _, key := range set.Keys {
		if key.Purpose == purpose && key.State != Removed {
			keys = append(keys, key)
		}
	}
	return keys
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

func (d *draft) active() *StoredKey   { return d.inState(Active) }
func (d *draft) prepared() *StoredKey { return d.inState(Prepared) }

func (d *draft) inState(state State) *StoredKey {
	for i := range d.keys {
		if d.keys[i].State == state {
			return &d.keys[i]
		}
	}
	return nil
}

func (d *draft) byID(kid string) *StoredKey {
	for i := range d.keys {
		if d.keys[i].KID == kid && d.keys[i].State != Removed {
			return &d.keys[i]
		}
	}
	return nil
}

// happened names what the change is in its audit event. The first name stays.
func (d *draft) happened(event, kid string) {
	if d.event == "" {
		d.event, d.subject = event, kid
	}
}

// result is what the transaction has to store.
func (d *draft) result() []StoredKey {
	var changed []StoredKey
	for _, key := range d.keys {
		if d.changed[key.KID] {
			changed = append(changed, key)
		}
	}
	return changed
}

// prepare publishes a new key that does not sign yet.
func (d *draft) prepare() (*StoredKey, error) {
	i := slices.IndexFunc(d.fresh, func(key StoredKey) bool { return key.Alg == d.alg })
	if i < 0 {
		return nil, &missingKeyError{alg: d.alg}
	}
	key := d.fresh[i]
	d.fresh = slices.Delete(slices.Clone(d.fresh), i, i+1)
	key.State, key.PreparedAt, key.RipeAt, key.MaxAge = Prepared, d.now, d.ripeAt, d.schedule.JWKSMaxAge
	d.keys = append(d.keys, key)
	d.changed[key.KID] = true
	return &d.keys[len(d.keys)-1], nil
}

func (d *draft) activate(key *StoredKey) {
	key.State, key.ActivatedAt, key.Longest = Active, d.now, d.schedule.MaxLifetime
	d.changed[key.KID] = true
}

// retire fixes when the key may go: no token that it signed outlives that.
func (d *draft) retire(key *StoredKey) {
	key.State, key.RetiredAt, key.RemoveAt = Retired, d.now, d.now.Add(key.Longest+Skew)
	d.changed[key.KID] = true
}

func (d *draft) remove(key *StoredKey) {
	key.State, key.Sealed = Removed, nil
	d.changed[key.KID] = true
}

// fill sees to it that one key is active and one prepared.
func (d *draft) fill() error {
	if d.active() == nil {
		if d.prepared() == nil {
			if _, err := d.prepare(); err != nil {
				return err
			}
		}
		d.activate(d.prepared())
	}
	if d.prepared() == nil {
		key, err := d.prepare()
		if err != nil {
			return err
		}
		d.happened(audit.KeysPrepared, key.KID)
	}
	return nil
}

// create makes the first pair. No verifier holds an older set, so the active key is ripe.
func (d *draft) create() error {
	key, err := d.prepare()
	if err != nil {
		return err
	}
	key.RipeAt = d.now
	d.activate(key)
	d.happened(audit.KeysCreated, key.KID)
	return d.fill()
}

// rotate lets the prepared key take over.
func (d *draft) rotate() error {
	if old := d.active(); old != nil {
		d.retire(old)
	}
	next := d.prepared()
	if next == nil {
		return d.fill()
	}
	d.activate(next)
	d.happened(audit.KeysRotated, next.KID)
	return d.fill()
}

// replace removes every key and starts anew.
func (d *draft) replace() error {
	for i := range d.keys {
		d.remove(&d.keys[i])
	}
	err := d.fill()
	if active := d.active(); active != nil {
		d.event, d.subject = audit.KeysReplaced, active.KID
	}
	return err
}

// due does what time and configuration ask for.
func (d *draft) due() error {
	active, prepared := d.active(), d.prepared()
	if active != nil && prepared != nil && !d.now.Before(prepared.RipeAt) &&
		(active.Alg != prepared.Alg || !d.now.Before(active.ActivatedAt.Add(d.schedule.Rotation))) {
		if err := d.rotate(); err != nil {
			return err
		}
	}
	for i := range d.keys {
		if key := &d.keys[i]; key.State == Retired && !d.now.Before(key.RemoveAt) {
			d.remove(key)
			d.happened(audit.KeysRemoved, key.KID)
		}
	}
	if err := d.fill(); err != nil {
		return err
	}
	d.extend()
	return nil
}

// extend notes a longer lifetime or max-age before anything relies on it. A shorter one
// changes nothing for the keys that there are.
func (d *draft) extend() {
	if key := d.active(); key.Longest < d.schedule.MaxLifetime {
		key.Longest = d.schedule.MaxLifetime
		d.changed[key.KID] = true
		d.happened(audit.KeysExtended, key.KID)
	}
	if key := d.prepared(); key.MaxAge < d.schedule.JWKSMaxAge {
		key.MaxAge = d.schedule.JWKSMaxAge
		d.changed[key.KID] = true
		d.happened(audit.KeysExtended, key.KID)
	}
}

// follow makes a configured algorithm the one of the next key.
func (d *draft) follow(alg string) {
	d.alg = alg
	if key := d.prepared(); key != nil && key.Alg != alg {
		d.remove(key)
	}
}

// drop removes a key at once. A dropped active key hands over to the prepared one, ripe or not.
func (d *draft) drop(kid string) error {
	key := d.byID(kid)
	if key == nil {
		return accounts.ErrNotFound
	}
	d.remove(key)
	d.happened(audit.KeysDropped, kid)
	return d.fill()
}
