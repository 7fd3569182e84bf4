// Package enginefault stands between a Docker client and a Docker Engine and makes the engine look sick: slow, hung, dead,
// lying. Tests use it to strike at an exact call, and an operator to rehearse a bad day (`try --fault`).
//
// A [Proxy] listens on a unix socket of its own and passes each request on to the engine's socket. [Rule]s say which calls
// are struck and how; a rule is a value, and [Parse] reads its text form, such as "start#1=delay:10s". What no rule strikes
// passes byte for byte in both directions, half-closes included, so attach, wait and logs work as without it. The engine itself is
// never touched: to freeze or kill a real daemon is enginetest's business.
//
// Each connection carries one request, as the executor's own client does it. Of other clients the proxy asks the same, with the
// header "Connection: close".
//
// A proxy owns the goroutines and connections that it makes; [Proxy.Close] ends all of them and waits for it. All methods may
// be called from any number of goroutines, and none blocks but those that take a context. Nothing is stored.
package enginefault
