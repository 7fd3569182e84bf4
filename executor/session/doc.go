// Package session holds the conversation of one executor with its Mesos agent:
// the v1 HTTP executor API, protobuf in RecordIO. Mesos documents the protocol in
// docs/executor-http-api.md and include/mesos/v1/executor/executor.proto; the agent's
// side is src/slave/http.cpp (Http::executor) and src/slave/slave.cpp.
//
// # What it owns
//
// Two connections: one carries SUBSCRIBE and the endless stream of events that answers it,
// the other, persistent, carries every other call, one at a time. The agent answers the
// requests of one connection in order, so a call on the subscription's connection would
// never be answered; and only waiting for each answer keeps updates in order.
//
// The ledger of what the agent has not acknowledged: each launched task, with the bytes of
// its TaskInfo as they arrived (the message types here drop fields they do not know), and
// each update, in order. An update is in the ledger before it is sent, keeps its UUID
// however often it is sent, and leaves the ledger only by its ACKNOWLEDGED. Every SUBSCRIBE
// carries the whole ledger; that is what lets a task survive a restart of the agent.
//
// Connections are TCP or, on the agent's Unix socket, where it serves one path only, Unix; HTTP/1.1
// and nothing newer, since agents know nothing newer; with TLS if the owner gives a function that
// makes it ([Options].Secure). An agent's socket that cannot be used is not replaced by TCP.
//
// [Register] owns something separate: the loopback listener that makes an agent with the
// Docker containerizer recover a run whose executor speaks HTTP.
//
// # Who may call what
//
// [Session.Run] once. [Session.Update] and [Session.Nudge] from any goroutine, at any time
// (before Run, while disconnected, after Run: the update is then merely kept); they never
// block. [Session.Events] is one channel for one reader. A slow reader delays nothing but
// itself: events wait in a queue without bound, and the queue is small because agents send
// few events.
//
// # What the owner may rely on
//
// Events come in the agent's order. A task id is launched once however often the agent
// repeats LAUNCH. [Shutdown] and [Lost] come at most once. [Lost] means that the task has to
// be ended as if by SHUTDOWN. After a refusal that no repetition can change, Run delivers Lost and
// returns; after any other Lost it goes on trying to subscribe, so that a terminal
// update may still get out, until its context ends.
//
// Every goroutine and connection started by Run has ended when Run returns, and Events is
// closed; but one whose connection the kernel is still looking for on a file system that hangs
// ends with that ([DialSocket]). Nothing here survives the process: an executor that dies is the agent's to report.
//
// # When the connection is lost
//
// A framework with checkpointing: the recovery timer starts once per disconnection and stops
// at the next SUBSCRIBED. Attempts come every 100 to 500 ms, at random, because a restarted agent waits
// only --executor_reregistration_timeout (default 2 s) for its executors and then kills
// them. Without checkpointing a lost connection is Lost at once, as in Mesos' own library
// (src/executor/executor.cpp). Dead peers are found by TCP keep-alive within about 25 s.
//
// An agent that is ending the executor answers SUBSCRIBE with SHUTDOWN alone and closes the stream.
// Updates are sent all the same, during that attempt and for 2 s after it, and nothing
// acknowledges them.
//
// The bearer token goes with every request. It and the contents of tasks never reach a log or an
// error. 401 is asked again until the time is up: a restarted agent may want another token, or one
// at all, and may be restarted once more. 403 to SUBSCRIBE is final: the token is another run's.
package session
