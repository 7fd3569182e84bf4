package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/registryauth"
	"mesos-docker-executor/executor/session"
	"mesos-docker-executor/executor/supervise"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/executor/trust"
)

// executeClean makes sure that the process runs with an environment of allow-listed names only, by executing itself once
// more if need be, and then runs. In drop-in mode the task's own variables reach this root process, and the likes of
// GODEBUG act on a Go program from its first instruction on.
func executeClean(mode task.Mode, prepare func(environ []string) (start, error)) int {
	given, err := config.Environ()
	if err != nil {
		say(err.Error())
		return exitUsage
	}
	environ, changed := config.CleanEnviron(given, mode == task.Custom)
	if changed {
		if err := unix.Exec("/proc/self/exe", os.Args, environ); err != nil {
			say(fmt.Sprintf("cannot execute itself with a clean environment: %v", err))
			return exitUsage
		}
	}
	nameProcess()
	s, err := prepare(environ)
	if err != nil {
		say(err.Error())
		return exitUsage
	}
	return s.run()
}

// nameProcess gives the process its name back, which is "exe" after executing /proc/self/exe: people look for it with pgrep
// and in the kernel's messages. The kernel keeps 15 bytes (proc_pid_comm(5)). Without it everything works as well.
func nameProcess() {
	_ = os.WriteFile("/proc/self/comm", []byte("mesos-docker-executor"), 0)
}

// run wires session, engine and supervisor, and blocks until the executor is to exit.
func (s start) run() int {
	hurry()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	// Whoever reads our output may close it, and whoever started us may hang up: neither may end the task.
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.trust = trust.Begin(ctx, s.route.target) // before anything else, while the parent lives
	log, closeLog, logErr := s.openLog()
	defer closeLog()
	log.Info("start", "version", version, "mode", string(s.mode), "agent", s.route.target.String(), "task_container", s.name, "engine", s.engineHost)
	s.route.logNotes(log)
	s.logPolicy(log)

	docker, engineErr := engine.Open(s.engineHost, engine.Limits(s.file.Engine.Limits))
	if docker != nil {
		defer docker.Close()
	}
	unfit := errors.Join(wrap("config.yaml", briefly(s.fileErr)), wrap("policy.yaml", briefly(s.policyErr)), s.dnsErr, wrap("sandbox", logErr), wrap("engine", engineErr))
	voice := newSpeaker()
	defer voice.close()
	if unfit != nil {
		voice.say(unfit.Error())
	}
	classes, conversing := s.classesBeside(ctx, log, voice.say)
	agent := session.New(s.sessionOptions(log))
	var conversation sync.WaitGroup
	conversation.Go(func() {
		if err := agent.Run(conversing); err != nil && ctx.Err() == nil {
			log.Error("session", "error", err)
		}
	})
	conversation.Go(func() { s.sayTrust(ctx, log, voice.say) })
	// Neither SUBSCRIBE nor the engine's probe waits for these two.
	registered, warm := make(chan func(), 1), make(chan struct{})
	go func() { registered <- s.register(agent, log) }()
	go func() { // the first decision is a slow one, and LAUNCH is soon to come
		defer close(warm)
		task.Decide(nil, s.inputs(), s.policies())
	}()
	defer func() { (<-registered)(); <-warm }()
	status := supervise.Run(ctx, supervise.Options{
		Settings:    s.settings(ctx, log, unfit, classes),
		Agent:       agent,
		Engine:      docker,
		Gate:        s.gate(log),
		LaunchWait:  s.file.Engine.LaunchWait,
		Storage:     s.file.Storage.Settings(),
		Signals:     signals,
		Credentials: s.registries().Lookup,
		Mode:        s.mode,
		CgroupRoot:  s.file.Cgroup.Root,
		RunDir:      s.file.RunDirectory,
		ImageUse:    s.file.GC.Directory,
		Sandbox:     s.sandbox,
		ContainerID: s.containerID,
		Stdout:      supervise.NewSink(os.Stdout),
		Stderr:      supervise.NewSink(os.Stderr),
		About:       supervise.About{Version: version, AgentID: s.agent.AgentID, FrameworkID: s.agent.FrameworkID},
		Log:         log,
		Say:         voice.say,
		Calm:        calmDown,
	})
	cancel()
	conversation.Wait()
	log.Info("exit", "status", status)
	return status
}

// gate is what the executors of this host share about their engine.
func (s start) gate(log *slog.Logger) *admission.Gate {
	return admission.New(admission.Options{
		Dir:       filepath.Join(s.file.RunDirectory, "engine"),
		Engine:    s.engineHost,
		MaxStarts: s.file.Engine.MaxStarts,
		MaxPulls:  s.file.Engine.MaxPulls,
		Note:      func(line string) { log.Warn(line) },
	})
}

// registries says where the credentials for pulls are.
func (s start) registries() registryauth.Source {
	return registryauth.Source{
		Sandbox:     s.sandbox,
		HostConfig:  s.file.Registry.Config,
		TaskHelpers: s.file.Registry.Helpers(),
		HelperLimit: s.file.Registry.HelperLimit,
	}
}

// hostMemory is the host's memory in bytes (sysinfo(2)), as the stock executor takes it; 0 if the kernel does not say.
func hostMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

func (s start) sessionOptions(log *slog.Logger) session.Options {
	var secure func(context.Context, net.Conn) (net.Conn, error)
	if s.route.secure != nil {
		secure = s.route.secure.Secure
	}
	return session.Options{
		URL:             s.route.url,
		DomainSocket:    s.route.socket,
		Secure:          secure,
		FrameworkID:     s.agent.FrameworkID,
		ExecutorID:      s.agent.ExecutorID,
		AgentID:         s.agent.AgentID,
		ContainerID:     s.containerID,
		Token:           s.agent.Token,
		Checkpoint:      s.agent.Checkpoint,
		RecoveryTimeout: s.agent.RecoveryTimeout,
		BackoffMax:      s.agent.SubscriptionBackoffMax,
		Log:             log,
	}
}

// sayTrust tells the operator whether the agent is the one that started this process, when that is known. It returns when
// ctx ends.
func (s start) sayTrust(ctx context.Context, log *slog.Logger, say func(string)) {
	verdict, err := s.trust.Verdict(ctx)
	if err != nil {
		log.Info("agent not checked", "agent", s.route.target.String(), "why", verdict.Why)
		return
	}
	if verdict.Trusted {
		log.Info("agent trusted", "agent", s.route.target.String(), "why", verdict.Why)
		return
	}
	log.Warn("agent not trusted", "agent", s.route.target.String(), "why", verdict.Why)
	say(fmt.Sprintf("the agent is not trusted: %s %s; no override by role or principal applies; agent.endpoint or agent.domain_socket in config.yaml pins the agent",
		s.route.target, verdict.Why))
}

// register makes the task survive restarts of the agent in drop-in mode: the Docker containerizer recovers only runs with
// a libprocess pid. A run that cannot be registered works until the agent restarts. It returns what ends the registration.
func (s start) register(agent *session.Session, log *slog.Logger) func() {
	if s.mode != task.DropIn || !s.agent.Checkpoint || !s.file.Agent.RegisterForRecovery {
		return func() {}
	}
	registration, err := session.Register(session.RegisterOptions{
		SandboxPath: s.sandbox,
		AgentID:     s.agent.AgentID,
		OnReconnect: agent.Nudge,
		Log:         log,
	})
	if err != nil {
		log.Warn("not registered for recovery: the task will not survive a restart of the agent", "error", err)
		return func() {}
	}
	return func() { registration.Close() }
}

func (s start) settings(ctx context.Context, log *slog.Logger, unfit error, file *classFile) supervise.Settings {
	inputs, policies := s.inputs(), s.policies()
	settings := supervise.Settings{
		ContainerID:   s.containerID,
		ShutdownGrace: s.agent.ShutdownGrace,
		KillGrace:     max(s.agent.ShutdownGrace, s.flags.StopTimeout), // as the stock executor (src/docker/executor.cpp)
		SignalGrace:   s.signalGrace(),
		LogDrain:      s.file.LogDrain,
		Decide: func(raw []byte, framework mesos.FrameworkInfo) task.Decision {
			registry, err := file.take(ctx)
			if err != nil {
				return task.Decision{Refusal: task.NoClass(err)}
			}
			in := inputs
			in.Principal, in.Trusted, in.Classes = framework.GetPrincipal(), s.agentTrusted(ctx, log, registry), registry
			return hostGives(task.Decide(raw, in, policies))
		},
		ReviewImage: func(i engine.Image, plan *task.Plan) *task.Refusal { return reviewImage(log, i, plan) },
	}
	if unfit != nil {
		settings.Unfit = unfit.Error()
	}
	return settings
}

// signalGrace is the time that a container gets after SIGTERM to its executor. The Docker containerizer sends it when it
// destroys the run, waits for the executor without a limit and would itself stop the container after --stop_timeout. In
// custom mode it is somebody who wants the executor to end, as by SHUTDOWN.
func (s start) signalGrace() time.Duration {
	if s.mode == task.DropIn {
		return min(s.flags.StopTimeout, s.agent.ShutdownGrace)
	}
	return supervise.ShutdownGrace(s.agent.ShutdownGrace)
}
