// Package localagent is an agent for one executor run, embedded in the process
// that wants to see the run: the agent's executor endpoint on a loopback port,
// the launch of the executor as either containerizer performs it, and the ways
// in which an agent can go away, come back and misbehave.
//
// It serves `try`, which runs one task on a machine without Mesos, and the
// tests, which need an agent that fails on demand. It shares no code with the
// executor's own side of the protocol, so that the two check each other: what
// the endpoint accepts, and in which order it answers, follows
// Http::executor in Mesos' src/slave/http.cpp, validateExecutorCall in
// src/common/validation.cpp and Slave::subscribe in src/slave/slave.cpp.
//
// # One Agent, one run
//
// [Start] opens the endpoint; [Agent.StartExecutor] forks the executor (a test
// that brings its own client leaves that out). From then on everything that is
// said is recorded: [Agent.Timeline] has it all in order, [Agent.Statuses]
// what a framework would have been told, [Agent.Violations] every breach of
// the protocol by the executor. [Agent.Close] destroys what is left and
// removes what the agent made; what an Agent left whose process was killed,
// [Sweep] removes. Ten tasks at once are ten Agents.
//
// # What survives a restart
//
// [Agent.Restart] behaves like a SIGKILL of the agent: connections break, what
// was only in memory is gone, and what an agent checkpoints stays (the task,
// the updates, the pids in the meta directory). What comes back follows the
// containerizer's recovery: a drop-in run is found by its pids/libprocess.pid
// or it is lost, a custom run of a checkpointing framework is always found.
//
// # Concurrency
//
// Every method may be called from any goroutine. One mutex guards the run;
// it is never held during I/O. Methods that wait take a context and
// say so; the others don't block. Each request is served by a goroutine of its
// HTTP server; timers, scripted actions and the wait for the process run in
// goroutines that the Agent owns and Close waits for.
package localagent
