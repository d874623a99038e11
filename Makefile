# rekeyfs: `make help` lists the targets and options.

VERSION := 0.1
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=
VALGRIND ?=
WERROR ?= -Werror
JOBS ?= 2
T ?=
FUZZ_SECONDS ?= 60

ifeq ($(SANITIZE),1)
BUILD ?= build-asan
else
BUILD ?= build
endif

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' $(1) $(2);
endif

CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
package = $(shell $(PKG_CONFIG) $(1) $(2) 2>/dev/null)
cc-option = $(shell $(CC) $(1) -Werror -c -x c /dev/null -o /dev/null 2>/dev/null && echo $(1))

LIBRARIES := libsodium libcrypto jansson inih
OPTIMIZE ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
HARDEN := -fstack-protector-strong -fPIE $(call cc-option,-fstack-clash-protection) \
	$(call cc-option,-fcf-protection)
ifeq ($(SANITIZE),1)
HARDEN += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK := -fsanitize=address,undefined
else
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
LINK += -pie -Wl,-z,relro,-z,now -pthread

CFLAGS ?=
COMPILE := -std=gnu11 $(OPTIMIZE) $(WARNINGS) $(HARDEN) -pthread -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DREKEYFS_VERSION='"$(VERSION)"' -I. $(call package,--cflags,$(LIBRARIES)) $(CFLAGS)
LIBS := $(call package,--libs,$(LIBRARIES))
FUSE_CFLAGS := $(call package,--cflags,fuse3)
FUSE_LIBS := $(call package,--libs,fuse3)
CMOCKA_LIBS := $(call package,--libs,cmocka)

# One archive a layer, from the lowest to the highest.  A unit test is linked with
# its own layer and those below, so that a call upwards does not even link.
LAYERS := base keymgr format names keys policy bucket content tree check walker mount cli
SRC_base := $(wildcard base/*.c)
SRC_keymgr := $(wildcard keymgr/*.c keymgr/core/*.c keymgr/protectors/*.c keymgr/api/*.c)
$(foreach l,$(wordlist 3,99,$(LAYERS)),$(eval SRC_$(l) := $(wildcard fs/$(l)/*.c)))
SRC_ctl := $(wildcard keymgr/ctl/*.c)
SRC_test_lib := $(wildcard tests/lib/*.c)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
archive = $(if $(SRC_$(1)),$(BUILD)/lib/$(1).a)
upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,99,$(2))))
archives-upto = $(foreach l,$(call upto,$(1),$(LAYERS)),$(call archive,$(l)))
group = -Wl,--start-group $(1) -Wl,--end-group

SRC_program := $(wildcard tests/programs/*.c)
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
TEST_PROGRAMS := $(SRC_program:%.c=$(BUILD)/%)
PROGRAMS := $(if $(SRC_cli),$(BUILD)/rekeyfs) $(if $(SRC_ctl),$(BUILD)/rekeyctl)
ALL_SRC := $(foreach l,$(LAYERS) ctl test_lib,$(SRC_$(l)))

.PHONY: all help check check-build check-run tests layers run stop clean install uninstall fuzz libfuzzer \
	bench powercut powerdisk FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(foreach l,$(LAYERS),$(call archive,$(l)))

# Changed flags or a changed list of sources build anew.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(COMPILE) | $(LINK) $(LIBS))' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(ALL_SRC) > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/obj/fs/mount/%.o: COMPILE += $(FUSE_CFLAGS)
$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) -MMD -MP -c -o $@ $<

define archive-rule
$(BUILD)/lib/$(1).a: $(call objects,$(SRC_$(1))) $(BUILD)/sources
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LAYERS) ctl test_lib,$(eval $(call archive-rule,$(l))))

$(BUILD)/rekeyfs: $(call objects,$(SRC_cli)) $(call archives-upto,mount)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) $(LIBS) $(FUSE_LIBS) $(LDFLAGS)

$(BUILD)/rekeyctl: $(call objects,$(SRC_ctl)) $(call archives-upto,keymgr)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) $(LIBS) $(LDFLAGS)

# tests/unit/AREA/test_NAME.c, with the other .c files of the area and tests/lib/*.c.
# An area is a layer, or a part of the key manager, or else sees all layers.
area-layer = $(if $(filter core protectors api ctl,$(1)),keymgr,$(if $(filter $(1),$(LAYERS)),$(1),mount))
define area-rules
AREA_SRC_$(1) := $(filter-out tests/unit/$(1)/test_%,$(wildcard tests/unit/$(1)/*.c))
$(BUILD)/tests/unit/$(1)/test_%: $(BUILD)/obj/tests/unit/$(1)/test_%.o \
		$$(call objects,$$(AREA_SRC_$(1))) $(call archive,test_lib) \
		$(if $(filter ctl,$(1)),$(call archive,ctl)) $(call archives-upto,$(call area-layer,$(1)))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LINK) -o $$@ $$(filter %.o,$$^) $$(call group,$$(filter %.a,$$^)) $(LIBS) \
		$(if $(filter mount cli,$(call area-layer,$(1))),$(FUSE_LIBS)) $(CMOCKA_LIBS) $(LDFLAGS)
endef
$(foreach a,$(sort $(patsubst %/,%,$(dir $(UNIT_SRC:tests/unit/%=%)))),$(eval $(call area-rules,$(a))))

# tests/programs/NAME.c: small programs that shell tests run; each stands alone.
$(BUILD)/tests/programs/%: $(BUILD)/obj/tests/programs/%.o
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $< $(LDFLAGS)

-include $(wildcard $(patsubst %.c,$(BUILD)/obj/%.d,$(ALL_SRC) $(SRC_program) $(wildcard tests/unit/*/*.c tests/fuzz/*.c tests/powercut/*.c)))

# tests/fuzz/fuzz_NAME.c: libFuzzer targets.  `make check` runs them by replay.c over
# their corpus and fixed mutations of it, with any compiler; `make fuzz` by libFuzzer.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(FUZZ_SRC:%.c=$(BUILD)/%)
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(call archives-upto,walker)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) $(LIBS) $(LDFLAGS)
$(BUILD)/libfuzzer/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(call archives-upto,walker)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) $(LIBS) $(LDFLAGS)

fuzz:
	@etc/setup build fuzz
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang SANITIZE=1 BUILD=$(BUILD)-fuzz \
		CFLAGS='-fsanitize=fuzzer-no-link $(CFLAGS)' libfuzzer
	@tests/fuzz/run $(BUILD)-fuzz/libfuzzer $(FUZZ_SECONDS) $(T)
libfuzzer: $(patsubst tests/fuzz/%.c,$(BUILD)/libfuzzer/%,$(FUZZ_SRC))

# The recording disk of tests/powercut.
POWERDISK := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/powercut/powerdisk.c))
$(BUILD)/obj/tests/powercut/%.o: COMPILE += $(FUSE_CFLAGS)
$(BUILD)/tests/powercut/powerdisk: $(BUILD)/obj/tests/powercut/powerdisk.o
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $< $(FUSE_LIBS) $(LDFLAGS)
powerdisk: $(POWERDISK)

tests: all $(UNIT) $(FUZZERS) $(TEST_PROGRAMS) $(POWERDISK)

# The whole test run.  Packages may arrive only now, so what depends on them is a make of its own.
check:
	@etc/setup build run test $(if $(filter 1,$(VALGRIND)),valgrind)
	@$(MAKE) --no-print-directory -j$(JOBS) check-build
	@$(MAKE) --no-print-directory check-run
# Of a chosen part only what it needs is built.
COMPILED := $(if $(T),$(shell printf '%s\n' $(UNIT) $(FUZZERS) | grep -E -e '$(T)'),$(UNIT) $(FUZZERS))
SCRIPTS = $(shell find tests \( -name '*.t' -o -name '*.bats' \) -type f | grep -E -e '$(T)')
check-build: $(COMPILED) $(if $(T),$(if $(SCRIPTS),all $(TEST_PROGRAMS) $(POWERDISK)),tests)
check-run:
	@BUILD='$(abspath $(BUILD))' VALGRIND='$(VALGRIND)' SANITIZE='$(SANITIZE)' \
		tests/lib/run-all -j '$(JOBS)' -t '$(T)' $(UNIT) $(FUZZERS)

layers:
	@tests/layers

bench:
	@etc/setup build run bench
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD='$(abspath $(BUILD))' tests/bench/run
powercut:
	@etc/setup build run test
	@$(MAKE) --no-print-directory -j$(JOBS) all powerdisk
	@BUILD='$(abspath $(BUILD))' tests/powercut/run

# A bucket to try things on, under run/.
BUCKET ?= run/bucket
MOUNT ?= run/mount
KEYSTORE ?= run/keystore
PROTECTOR ?=
TRY = BUILD='$(BUILD)' BUCKET='$(BUCKET)' MOUNT='$(MOUNT)' KEYSTORE='$(KEYSTORE)' PROTECTOR='$(PROTECTOR)' examples/try

run:
	@etc/setup build run
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(TRY) start

stop:
	@$(TRY) stop

clean:
	@$(TRY) idle
	rm -rf $(BUILD) $(BUILD)-fuzz

install: all
	@BUILD='$(BUILD)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' etc/install install
uninstall:
	@BUILD='$(BUILD)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' etc/install uninstall

help:
	@echo 'Targets:'
	@echo '  all         build the programs into $(BUILD)/'
	@echo '  run         build, make a keystore and a bucket under run/ where there is none, mount it'
	@echo '  stop        unmount it'
	@echo '  check       build and run all tests; T=PATTERN runs those whose path matches'
	@echo '  layers      check who includes whom'
	@echo '  fuzz        fuzz each parser for FUZZ_SECONDS (clang)'
	@echo '  bench       measure against other file systems'
	@echo '  powercut    cut the power under a bucket and count what is lost'
	@echo '  install     into PREFIX ($(PREFIX)) below DESTDIR; uninstall takes it away again'
	@echo '  clean       remove $(BUILD)/; run/ stays'
	@echo 'Options:'
	@echo '  BUILD=DIR  V=1  JOBS=2  CC=  CFLAGS=  WERROR=  SANITIZE=1 (ASan, UBSan)  VALGRIND=1 (unit tests)'
	@echo '  BUCKET=  MOUNT=  KEYSTORE=  PROTECTOR=passphrase (make run)'
	@echo '  SHORT=1  ROUNDS=3  PEERS=ext4,gocryptfs,…  RAW=FILE (make bench)'
	@echo '  WORKLOAD=blocks,ranges,…  POINTS=40  SEED=  MODE=prefix|volatile  TEAR=0|512|4096  LONG=1 (make powercut)'
