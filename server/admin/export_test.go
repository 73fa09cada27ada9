package admin

// For tests from outside.
var (
	ParseCursor = parseCursor
	Cursor      = cursor
)
