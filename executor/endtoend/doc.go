// Package endtoend holds the tests of the built binary: as an agent's child process, speaking the agent's protocol with the
// embedded agent, and running real containers on a private engine. There is nothing to import.
package endtoend
