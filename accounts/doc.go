// Package accounts owns organizations and what lives in them: roles, groups,
// service accounts and their credentials. [Service] holds every rule, [Store] is
// where truth is kept, and [Service.Authenticate] is the only source of a [Client].
package accounts
