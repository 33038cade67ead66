// Package browser tests the console in a real browser: what people do with mouse
// and keyboard, what they see, and that pages can be used by everybody. It has
// tests alone.
//
// Each test has a console of its own between two simulated vendors, behind the
// same door and handlers as local serve. All tests share one browser. Pictures of
// the pages go to .screenshots.
package browser
