// Package tokens issues access tokens and owns what they need: signing keys and
// their life cycle, the key set that verifiers read, revocations, and the records of
// live tokens. [Issuer.Issue] is the only door to the signer.
package tokens
