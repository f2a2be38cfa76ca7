<?php
// The writing program: from the settings that were planned on to others, all or nothing, in one request. Its lock has a
// name of its own: write_config takes 'config' itself, and this process would wait for itself for ever.
$result = ['status' => 'unsaved', 'keys' => null, 'saved' => false, 'ran' => false, 'runs' => false, 'detail' => ''];
$custom = $args['custom'] ?? null;
$all = function ($from, $field) use ($keys, $custom) {
	return $keys($from) + ($custom === null ? [] : ['custom_kea_config' => $field]);
};
$before = $all($args['before'], $custom['before'] ?? null);
$after = $all($args['after'], $custom['after'] ?? null);
$now = function () use ($reread, $all, $keaCustom, $args) {
	global $config;
	$reread();
	$section = $config['dhcpd'][$args['id']] ?? null;
	return is_array($section) ? $all($section, $keaCustom()) : null;
};

// Writes and reads back what is on disk then. Only these keys of this one interface are touched, and Kea's own configuration.
$save = function ($wanted, $message) use ($now, $names, $args, $custom, &$result) {
	global $config;
	foreach ($names as $name) {
		if ($wanted[$name] === null) {
			unset($config['dhcpd'][$args['id']][$name]);
		} else {
			$config['dhcpd'][$args['id']][$name] = $wanted[$name];
		}
	}
	if ($custom !== null) {
		// An element without content stays, or comes back.
		$element = $custom['element'] ?? false;
		$kea = is_array($config['kea'] ?? null) ? $config['kea'] : [];
		if ($wanted['custom_kea_config'] === null) {
			unset($kea['custom_kea_config']);
		} else {
			$kea['custom_kea_config'] = $wanted['custom_kea_config'];
		}
		if ($kea === [] && !$element) {
			unset($config['kea']);
		} else {
			$config['kea'] = $kea ?: '';
		}
	}
	$saved = write_config($message);
	if (!is_array($saved)) {
		throw new Exception('write_config did not save: ' . json_encode($saved));
	}
	// The second time it was put back.
	$result['saved'] = !$result['saved'];
	return $now();
};

// Only DHCP is loaded anew. That returns nothing, whatever happened, and a daemon that does not like its settings may be there
// for a moment; so it is believed when it was seen four times on end, with ten seconds to wait over 0.4 s. The wire is asked after that.
// A daemon that did not run before is stopped instead, and that is believed the same way. It returns whether the daemon runs.
$load = function ($stop) use ($runs, $engine, $g, $args) {
	if (!$stop) {
		services_dhcpd_configure('inet');
	} elseif ($engine() === 'kea') {
		killbyname('kea-dhcp4');
	} else {
		killbypid(($g['dhcpd_chroot_path'] ?? '/var/dhcpd') . '/var/run/dhcpd.pid');
	}
	for ($seen = $looks = 0; $seen < 4 && $looks < 100; $looks++) {
		usleep((int)($args['wait'] * 10000));
		$seen = $runs() === $stop ? 0 : $seen + 1;
	}
	return ($seen > 0) !== $stop;
};

// Kea itself is asked, with the configuration that it runs with and the class: pfSense checks nothing at Kea's top, and a mistake there
// would end DHCP on every interface.
$unfit = function () use ($custom) {
	[$program, $file] = $custom['kea'] ?? ['', ''];
	$class = json_decode($custom['class'] ?? '');
	if (!is_object($class) || !is_executable($program) || !is_object($conf = json_decode((string)@file_get_contents($file))) || !isset($conf->Dhcp4)) {
		return '';
	}
	$others = array_filter((array)($conf->Dhcp4->{'client-classes'} ?? []), function ($one) use ($class) {
		return ($one->name ?? '') !== $class->name;
	});
	$conf->Dhcp4->{'client-classes'} = array_merge(array_values($others), [$class]);
	$test = tempnam('/tmp', 'pxeagent-kea-');
	file_put_contents($test, json_encode($conf, JSON_UNESCAPED_SLASHES));
	exec(escapeshellarg($program) . ' -t ' . escapeshellarg($test) . ' 2>&1', $said, $code);
	unlink($test);
	return $code === 0 ? '' : substr(end($said) ?: "exit code $code", 0, 300);
};

$lock = lock('pxeagent', LOCK_EX);
try {
	if (!$lock) {
		throw new Exception('the lock cannot be taken');
	}
	$found = $now();
	$result['keys'] = $found;
	$result['ran'] = $result['runs'] = $runs();
	$there = $args['undo'] && $found === $after;
	if ($found === null) {
		$result['status'] = 'gone';
	} elseif (is_subsystem_dirty('dhcpd')) {
		$result['status'] = 'dirty';
	} elseif ($found !== $before && !$there) {
		$result['status'] = 'changed';
	} elseif ($found !== $after && ($why = $unfit()) !== '') {
		$result['status'] = 'unfit';
		$result['detail'] = $why;
	} else {
		if ($found !== $after) {
			$result['keys'] = $save($after, $args['message']);
		}
		if ($result['keys'] !== $after) {
			$result['status'] = 'differs';
		} elseif (($result['runs'] = $load($args['stop'])) !== $args['stop'] || !$result['ran'] && !$args['stop']) {
			$result['status'] = 'done';
		} elseif ($args['stop']) {
			$result['status'] = 'running';
		} elseif (!$result['saved'] || $now() !== $after) {
			$result['status'] = 'stopped';
		} else {
			$result['status'] = 'stopped';
			$result['keys'] = $save($found, $args['message'] . '; put back, the DHCP server did not start');
			$result['runs'] = $load(false);
			$result['status'] = 'rolled back';
		}
	}
} catch (Throwable $e) {
	if ($result['saved'] && $result['status'] === 'unsaved') {
		$result['status'] = 'unloaded';
	}
	$result['detail'] = $e->getMessage();
}
if ($lock) {
	unlock($lock);
}
if ($result['keys'] !== null) {
	unset($result['keys']['custom_kea_config']);
}
$toreturn = $answer($result);
