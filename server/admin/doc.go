// Package admin is the native API under /v2: administration of organizations and of what
// lives in them. A handler decodes a request, makes one call of the domain and encodes the
// answer; every rule is the domain's. openapi.yaml describes all of it.
package admin
