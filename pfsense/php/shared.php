<?php
// What the reading and the writing program have in common; program.go puts it before either. It runs inside a method of
// xmlrpc.php, or by php -r, from pfSense 2.7.0 on. Closures keep it out of pfSense's own names. It must
// raise no notice: pfSense's error handler would put that into the answer.
global $config, $g;
// What was begun is carried through: who asked may have hung up.
ignore_user_abort(true);
// pfSense's functions may print, and anything printed corrupts the answer.
$depth = ob_get_level();
ob_start();
foreach (['config.inc', 'functions.inc', 'auth.inc', 'services.inc', 'util.inc'] as $file) {
	require_once($file);
}
$args = json_decode(base64_decode($pxeagent_args), true);

// The settings on disk: a cache may be older, and so may be what this process read when it began.
$reread = function () {
	global $config;
	if (function_exists('config_read_file')) {
		config_read_file(false, false);
	} else {
		$config = parse_config(true);
	}
};

// 2.7.0 has ISC's server only.
$engine = function () {
	return function_exists('dhcp_get_backend') ? (string)dhcp_get_backend() : 'isc';
};

// The settings that are pxeagent's, of an interface, a pool or a mapping. null is absent, which is not the same as empty:
// netboot is on where it is there, whatever its text.
$names = ['netboot', 'nextserver', 'filename', 'filename32', 'filename64', 'filename32arm', 'filename64arm', 'uefihttpboot'];
$keys = function ($from) use ($names) {
	$all = [];
	foreach ($names as $name) {
		$value = is_array($from) ? ($from[$name] ?? null) : null;
		$all[$name] = is_string($value) || $value === null ? $value : '';
	}
	return $all;
};

// The site's own configuration at Kea's top, in base64. null is absent.
$keaCustom = function () {
	global $config;
	$value = is_array($config['kea'] ?? null) ? ($config['kea']['custom_kea_config'] ?? null) : null;
	return is_string($value) || $value === null ? $value : '';
};

// The process name of ISC's daemon is that of its DHCPv6 too, so that only its pid file tells.
$runs = function () use ($engine, $g) {
	if ($engine() === 'kea') {
		return (bool)isvalidproc('kea-dhcp4');
	}
	return (bool)isvalidpid(($g['dhcpd_chroot_path'] ?? '/var/dhcpd') . '/var/run/dhcpd.pid');
};

$answer = function ($result) use ($depth) {
	while (ob_get_level() > $depth) {
		ob_end_clean();
	}
	return json_encode($result, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
};
