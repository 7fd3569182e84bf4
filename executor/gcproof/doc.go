// Package gcproof proves the command gc on a private Docker Engine whose disk is short of inodes: that it brings the host back under its
// mark, by last use, while tasks start and stop and none fails for it, and that neither its death at any moment nor several of it at once
// do harm. There is nothing to import.
package gcproof
