// Package rezolve speaks the dialect of Rezolve.ai's administration: a tenant named by a header,
// every answer in an envelope, service accounts also shown as OAuth clients. It decides nothing.
package rezolve
