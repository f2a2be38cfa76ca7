/* Words on the first serial port, which firmware has set up. */

static void put(char c) {
	unsigned char status;
	do
		__asm__ volatile("inb %w1, %0" : "=a"(status) : "Nd"(0x3fd));
	while (!(status & 0x20)); /* until the transmitter is free */
	__asm__ volatile("outb %b0, %w1" : : "a"(c), "Nd"(0x3f8));
}

static void say(const char *text) {
	while (*text)
		put(*text++);
}

static void stop(void) {
	say("herald stops\r\n");
	for (;;)
		__asm__ volatile("cli\n\thlt");
}
