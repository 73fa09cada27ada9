package sqlstore

import (
	"context"
	"fmt"

	"github.com/signet-issuer/signet/internal/sqldb"
)

// Reseal replaces the sealed form of every pepper, as a change of the master key needs.
// label names the purpose and number of a pepper to reseal.
func Reseal(ctx context.Context, tx *sqldb.Tx, label func(number int64) string,
	reseal func(label string, sealed []byte) ([]byte, error),
) error {
	peppers, err := reader{tx}.Peppers(ctx)
	if err != nil {
		return err
	}
	for _, pepper := range peppers {
		sealed, err := reseal(label(pepper.Number), pepper.Sealed)
		if err != nil {
			return fmt.Errorf("reseal pepper %d: %w", pepper.Number, err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE peppers SET sealed = $2 WHERE number = $1", pepper.Number, sealed); err != nil {
			return fmt.Errorf("reseal pepper %d: %w", pepper.Number, err)
		}
	}
	return nil
}

// RaiseAllGens raises the gen of every org, so that no token issued before is active. Orgs
// get a new version, as an update in progress would write the old gen back.
func RaiseAllGens(ctx context.Context, tx *sqldb.Tx, by int64) error {
	if err := tx.AllowSlow(ctx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE orgs SET gen = gen + $1, version = version + 1", by); err != nil {
		return fmt.Errorf("raise gens: %w", err)
	}
	return nil
}
