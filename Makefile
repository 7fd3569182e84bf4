# mesos-docker-executor: `make help` lists the targets.
#
# demo, test, soak, repeat, readme, acceptance and bench first run scripts/setup, which installs and mounts
# what is missing (as root, on Debian) and is silent when nothing is.

# Root's PATH often lacks these: sudo and su drop Go's, Debian's users have no sbin.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

GO          ?= go
BIN         := bin/mesos-docker-executor
# Without the CLI library's generator of manual pages, with the Markdown parser that comes with it, and without HTTP/2: neither an agent
# nor the engine speaks it. That is 0.6 MB of the binary.
TAGS        := urfave_cli_no_docs,nethttpomithttp2
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# One test binary may take this long; the engine tests are the slow ones.
TEST_TIMEOUT ?= 20m
# Packages that are tested at a time: their tests mostly wait for daemons, so one more than there are CPUs on a small machine.
PACKAGES ?= $(shell expr $$(nproc) + 1)
# Time for each fuzz target.
FUZZTIME ?= 30s
# What `make test` fuzzes, for ten seconds each: what no class file, policy, parameter or task may lead to.
FUZZ_TEST := cgroupnet/classes.FuzzParse security/policyfile.FuzzParse executor/task.FuzzParameters security.FuzzReview
# Random lives of `make soak`; their seed (0: another one each time), and the number of the one to play again (0: all).
LIVES ?= 500
SEED  ?= 0
LIFE  ?= 0
# Executors of one class in `make soak`, ten at a time; in `make test` there are 60.
CLASS_LIVES ?= 200
# Images on a host, and tasks that start and stop at a time while gc removes half of them, in `make soak`; in `make test` it is 60 and 8.
GC_IMAGES ?= 300
GC_TASKS  ?= 20
# Rounds of the whole suite in `make repeat`.
ROUNDS ?= 5
ACCEPTANCE_FLAGS ?=
# What `make bench` measures (all), and how much of it; BENCH_FLAGS=-help has the rest.
BENCH_FLAGS ?=
export BENCH BENCH_PAIRS BENCH_ROUNDS BENCH_EXECUTORS BENCH_LOG_MIB BENCH_IDLE BENCH_JSON

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## run real tasks in both modes, a trimmed and a refused one (root; installs what is missing)
	scripts/setup demo
	@$(MAKE) --no-print-directory build
	scripts/with-engine scripts/demo

# The fuzz targets run beside the tests, which mostly wait for daemons, and on one CPU.
.PHONY: test test-packages test-fuzz
test: ## all tests with the race detector, against private engines; some fuzz targets (root; installs what is missing)
	scripts/setup test
	@$(MAKE) --no-print-directory -j2 test-packages test-fuzz

test-fuzz:
	GOMAXPROCS=1 scripts/fuzz 10s $(FUZZ_TEST)

test-packages:
	CGO_ENABLED=1 $(GO) test -race -tags acceptance -count=1 -p=$(PACKAGES) -timeout=$(TEST_TIMEOUT) ./...

# Functions aligned to 16 bytes instead of 32 need fewer pages: 0.3 MB of an executor's resident set. What is big and not in the path of a
# container's bytes is not inlined: 1.4 MB less of Mesos' generated messages, 0.5 MB less of crypto/... and the other libraries.
.PHONY: build
build: ## build the static binary, bin/mesos-docker-executor
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags $(TAGS) -gcflags='github.com/...=-l' -gcflags='crypto/...=-l' -ldflags='-s -w -funcalign=16 -X main.version=$(VERSION)' -o $(BIN) ./executor

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, scripts; no test may skip
	@test -z "$$(gofmt -l .)" || { echo 'gofmt -w these:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags acceptance ./...
	$(GO) run $(STATICCHECK) -tags acceptance ./...
	@! grep -rnE '\.Skip(f|Now)?\(' --include='*_test.go' . || { echo 'a test that cannot run fails and says what is missing; it does not skip'; exit 1; }
	@for f in .ci/run scripts/*; do bash -n "$$f" || exit 1; done

.PHONY: darwin
darwin: ## build what a policy author's laptop runs: explain and its packages
	GOOS=darwin CGO_ENABLED=0 $(GO) build -buildvcs=false -o /dev/null ./executor
	GOOS=darwin CGO_ENABLED=0 $(GO) vet ./executor

.PHONY: readme
readme: ## run the tested commands of README and docs (root)
	scripts/setup readme
	@$(MAKE) --no-print-directory build
	scripts/with-engine scripts/check-readme README.md docs/report.md docs/faults.md docs/supervision.md docs/policy-file.md docs/classes.md docs/doctor.md

.PHONY: docs
docs: ## write the generated tables and outputs into the pages about policies, firewalls and doctor
	$(GO) test ./security/policyfile -run '^TestTableOfKeys$$' -update
	$(GO) test ./executor/task -run '^TestTablesOfThePolicyPage$$' -update
	$(GO) test ./executor -run '^TestOutputsOnThePolicyPage$$' -update
	$(GO) test ./executor -run FirewallPage -update
	$(GO) test ./executor -run '^TestOutputOnTheDoctorPage$$' -update

.PHONY: acceptance
acceptance: ## against a real Mesos: MESOS_MASTER=host:port, or mesos-mini in Docker (root); ACCEPTANCE_FLAGS=-help
ifeq (,$(filter -h -help --help,$(ACCEPTANCE_FLAGS)))
	@test -n "$(MESOS_MASTER)" || scripts/setup acceptance
	@$(MAKE) --no-print-directory build
endif
	$(GO) run -tags acceptance ./executor/acceptance $(ACCEPTANCE_FLAGS)

.PHONY: bench
bench: ## what the executor costs, beside the plain Docker API (root, ten minutes); BENCH_FLAGS=-help
ifeq (,$(filter -h -help --help,$(BENCH_FLAGS)))
	@scripts/setup bench >&2
	@$(MAKE) --no-print-directory build >&2
endif
	@$(GO) run ./executor/bench $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (30s)
	scripts/fuzz $(FUZZTIME)

.PHONY: soak
soak: ## random faults over LIVES (500) random lives; SEED=n LIFE=m plays one again; CLASS_LIVES (200) of one class; GC_TASKS (20) beside gc (root)
	scripts/setup test
	CGO_ENABLED=1 $(GO) test -race -v -count=1 -timeout=4h ./executor/chaos -run '^TestRandomFaultsOverRandomLives$$' \
		-chaos.lives=$(LIVES) -chaos.seed=$(SEED) -chaos.only=$(LIFE)
	test $(LIFE) != 0 || CGO_ENABLED=1 $(GO) test -race -v -count=1 -timeout=1h ./executor/endtoend -run '^TestLivesOfOneClassLeaveNothing$$' \
		-endtoend.lives=$(CLASS_LIVES)
	test $(LIFE) != 0 || CGO_ENABLED=1 $(GO) test -race -v -count=1 -timeout=1h ./executor/gcproof -run '^TestNoStartFailsWhileGCMakesRoom$$' \
		-gcproof.images=$(GC_IMAGES) -gcproof.tasks=$(GC_TASKS)

.PHONY: repeat
repeat: ## the whole test suite ROUNDS (5) times over (root)
	scripts/setup test
	CGO_ENABLED=1 $(GO) test -race -tags acceptance -count=$(ROUNDS) -timeout=4h ./...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
