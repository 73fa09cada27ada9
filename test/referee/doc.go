// Package referee watches the HTTP exchanges of a test and reports every answer, and every
// accepted request, that an OpenAPI 3.1 document does not allow.
package referee
