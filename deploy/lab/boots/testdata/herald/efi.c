/* An EFI application that says what it was started with, and stops. UEFI Specification 2.10, sections 4.3, 4.4 and 9.1. */

#include "serial.h"

#define EFIAPI __attribute__((ms_abi))

struct guid {
	unsigned int a;
	unsigned short b, c;
	unsigned char d[8];
};

struct boot_services {
	unsigned char header[24];
	void *before[16];
	unsigned long(EFIAPI *handle_protocol)(void *handle, const struct guid *protocol, void **interface);
};

struct system_table {
	unsigned char header[24];
	unsigned short *vendor;
	unsigned int revision;
	void *consoles[6], *runtime;
	struct boot_services *boot;
};

struct loaded_image {
	unsigned int revision;
	void *parent, *system, *device, *path, *reserved;
	unsigned int options_size; /* in bytes */
	const unsigned short *options;
};

EFIAPI unsigned long start(void *image, struct system_table *system) {
	const struct guid loaded_image = {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
	struct loaded_image *self;
	say("\r\nherald, EFI\r\nkernel [");
	if (system->boot->handle_protocol(image, &loaded_image, (void **)&self) == 0)
		for (unsigned int n = 0; n < self->options_size / 2 && self->options[n]; n++)
			put(self->options[n]);
	say("]\r\n");
	stop();
	return 0;
}
