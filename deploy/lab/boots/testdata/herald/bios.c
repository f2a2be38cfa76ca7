/* A multiboot kernel that says what it was started with, and stops. Multiboot Specification, version 0.6.96. */

#include "serial.h"

struct module {
	const unsigned char *start, *end;
	const char *string;
	unsigned int reserved;
};

struct info {
	unsigned int flags, mem_lower, mem_upper, boot_device;
	const char *cmdline;
	unsigned int mods_count;
	const struct module *mods;
};

enum { HAS_CMDLINE = 1 << 2, HAS_MODS = 1 << 3 };

/* The header wants modules at page boundaries and to be told of memory, as illumos does. */
__asm__(".section .text\n"
	".balign 4\n"
	".long 0x1badb002, 3, -(0x1badb002 + 3)\n"
	".globl start\n"
	"start:\n\t"
	"mov $stack_top, %esp\n\t"
	"push %ebx\n\t"
	"push %eax\n\t"
	"call herald\n"
	".section .bss\n"
	".balign 16\n"
	".skip 4096\n"
	"stack_top:\n"
	".section .text\n");

static void hex(unsigned int n) {
	for (int shift = 28; shift >= 0; shift -= 4)
		put("0123456789abcdef"[n >> shift & 15]);
}

/* fnv is the 32 bit FNV-1a sum. */
static unsigned int fnv(const unsigned char *from, const unsigned char *to) {
	unsigned int sum = 2166136261u;
	while (from < to)
		sum = (sum ^ *from++) * 16777619u;
	return sum;
}

__attribute__((used)) void herald(unsigned int magic, const struct info *info) {
	say("\r\nherald, multiboot ");
	hex(magic);
	say("\r\nkernel [");
	say(info->flags & HAS_CMDLINE ? info->cmdline : "");
	say("]\r\n");
	for (unsigned int n = 0; info->flags & HAS_MODS && n < info->mods_count; n++) {
		const struct module *m = &info->mods[n];
		say("module [");
		say(m->string);
		say("] length ");
		hex(m->end - m->start);
		say(" sum ");
		hex(fnv(m->start, m->end));
		say("\r\n");
	}
	stop();
}
