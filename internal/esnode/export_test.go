package esnode

// OpenOn lets the tests that run in a process of their own open a node on a file system of theirs.
var OpenOn = openOn
