<?php
// The writing program: from the settings that were planned on to others, all or nothing, in one request. Its lock has a
// name of its own: write_config takes 'config' itself, and this process would wait for itself for ever.
$result = ['status' => 'unsaved', 'keys' => null, 'saved' => false, 'ran' => false, 'runs' => false, 'detail' => ''];
$before = $keys($args['before']);
$after = $keys($args['after']);
$now = function () use ($reread, $keys, $args) {
	global $config;
	$reread();
	$section = $config['dhcpd'][$args['id']] ?? null;
	return is_array($section) ? $keys($section) : null;
};

// Writes and reads back what is on disk then. Only these keys of this one interface are touched.
$save = function ($wanted, $message) use ($now, $names, $args, &$result) {
	global $config;
	foreach ($names as $name) {
		if ($wanted[$name] === null) {
			unset($config['dhcpd'][$args['id']][$name]);
		} else {
			$config['dhcpd'][$args['id']][$name] = $wanted[$name];
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
// for a moment; so it is believed when it was seen four times on end, with ten seconds to wait over one second.
$load = function () use ($runs, $args) {
	services_dhcpd_configure('inet');
	for ($seen = $looks = 0; $seen < 4 && $looks < 40; $looks++) {
		usleep((int)($args['wait'] * 25000));
		$seen = $runs() ? $seen + 1 : 0;
	}
	return $seen > 0;
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
	} else {
		if ($found !== $after) {
			$result['keys'] = $save($after, $args['message']);
		}
		if ($result['keys'] !== $after) {
			$result['status'] = 'differs';
		} elseif (($result['runs'] = $load()) || !$result['ran']) {
			$result['status'] = 'done';
		} elseif (!$result['saved'] || $now() !== $after) {
			$result['status'] = 'stopped';
		} else {
			$result['status'] = 'stopped';
			$result['keys'] = $save($found, $args['message'] . '; put back, the DHCP server did not start');
			$result['runs'] = $load();
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
$toreturn = $answer($result);
