<?php
// The reading program: what network boot depends on, of every interface. It changes nothing. The lock lets it wait for
// a writing one that is at work.
$lock = lock('pxeagent', LOCK_SH);
try {
	if (!$lock) {
		throw new Exception('the lock cannot be taken');
	}
	$reread();
	$text = function ($from, $name) {
		return is_array($from) && is_scalar($from[$name] ?? null) ? (string)$from[$name] : '';
	};
	$list = function ($from, ...$path) {
		foreach ($path as $name) {
			$from = is_array($from) ? ($from[$name] ?? null) : null;
		}
		return is_array($from) ? $from : [];
	};
	// An unset denyunknown and one without text are different things.
	$deny = function ($from) use ($text) {
		return isset($from['denyunknown']) ? ($text($from, 'denyunknown') ?: 'enabled') : '';
	};

	$filled = function ($value) {
		return $value !== null && $value !== '';
	};

	$pool = function ($from) use ($text, $list, $keys, $deny) {
		return ['descr' => $text($from, 'descr'), 'from' => $text($list($from, 'range'), 'from'), 'to' => $text($list($from, 'range'), 'to'),
			'keys' => $keys($from), 'rootpath' => $text($from, 'rootpath'), 'denyunknown' => $deny($from),
			'mac_allow' => $text($from, 'mac_allow'), 'mac_deny' => $text($from, 'mac_deny')];
	};
	$section = function ($from) use ($text, $list, $keys, $filled, $pool) {
		$all = $pool($from);
		unset($all['descr']);
		$all += ['enable' => isset($from['enable']), 'tftp' => $text($from, 'tftp'), 'failover_peerip' => $text($from, 'failover_peerip'),
			'kea_custom' => $text($from, 'custom_kea_config') !== '', 'options' => [], 'pools' => [], 'maps' => []];
		foreach ($list($from, 'numberoptions', 'item') as $item) {
			if (in_array($text($item, 'number'), ['43', '60', '66', '67'], true)) {
				$all['options'][] = ['number' => $text($item, 'number'), 'type' => $text($item, 'type'),
					'value' => (string)base64_decode($text($item, 'value'))];
			}
		}
		foreach ($list($from, 'pool') as $one) {
			$all['pools'][] = $pool($one);
		}
		foreach ($list($from, 'staticmap') as $one) {
			if (isset($one['netboot']) || $text($one, 'rootpath') !== '' || array_filter($keys($one), $filled)) {
				$all['maps'][] = ['mac' => $text($one, 'mac'), 'ipaddr' => $text($one, 'ipaddr'), 'hostname' => $text($one, 'hostname'),
					'descr' => $text($one, 'descr'), 'keys' => $keys($one), 'rootpath' => $text($one, 'rootpath')];
			}
		}
		return $all;
	};

	// Texts that dhcpd.conf carries between quotes, and that would end it for every interface. Values stay here: some are secret.
	$odd = [];
	$walk = function ($from, $path, $mapping) use (&$walk, &$odd, $names) {
		foreach ($from as $name => $value) {
			$here = "$path/$name";
			if (is_array($value)) {
				$walk($value, $here, $mapping || $name === 'staticmap');
				continue;
			}
			// Descriptions are not carried, and boot settings only where network boot is on; mappings' always.
			if (!is_string($value) || in_array($name, ['descr', 'custom_kea_config'], true) ||
			    (in_array($name, $names, true) && !isset($from['netboot']) && !$mapping)) {
				continue;
			}
			if ($name === 'value' && isset($from['number'])) {
				$value = (string)base64_decode($value);
			}
			if (strpos($value, '"') !== false) {
				$odd[] = ['path' => $here, 'why' => 'quote'];
			} elseif (preg_match('/[\x00-\x1f\x7f]/', $value)) {
				$odd[] = ['path' => $here, 'why' => 'control'];
			} elseif (substr($value, -1) === '\\') {
				$odd[] = ['path' => $here, 'why' => 'backslash'];
			} elseif ($name === 'nextserver' && $value !== '' && !is_ipaddrv4($value)) {
				$odd[] = ['path' => $here, 'why' => 'address'];
			}
		}
	};

	$interfaces = [];
	foreach ($list($config, 'interfaces') as $id => $from) {
		$skews = [];
		$vips = [];
		foreach ($list($config, 'virtualip', 'vip') as $vip) {
			if ($text($vip, 'mode') === 'carp' && $text($vip, 'interface') === (string)$id) {
				$skews[] = (int)$text($vip, 'advskew');
				$vips[] = $text($vip, 'subnet');
			}
		}
		$dhcp = $list($config, 'dhcpd', $id);
		if (isset($dhcp['enable'])) {
			$walk($dhcp, (string)$id, false);
		}
		$interfaces[] = ['id' => (string)$id, 'descr' => $text($from, 'descr'), 'if' => $text($from, 'if'), 'ipaddr' => $text($from, 'ipaddr'),
			'subnet' => $text($from, 'subnet'), 'advskew' => $skews ? min($skews) : null, 'vips' => $vips, 'dhcp' => $dhcp ? $section($dhcp) : null];
	}

	// Addresses leased now. The last word about an address is the one that counts. null: not known.
	$leased = null;
	$active = [];
	if ($engine() === 'kea') {
		// Since 2.9 in /var/db. The older half of the leases is in .2.
		foreach (['/var/lib/kea/dhcp4.leases', '/var/db/kea/dhcp4.leases'] as $path) {
			foreach (["$path.2", $path] as $file) {
				foreach (is_readable($file) ? file($file) : [] as $line) {
					$lease = explode(',', $line);
					// address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state
					$active[$lease[0]] = (int)($lease[4] ?? 0) > time() && (int)($lease[9] ?? 0) === 0;
					$leased = [];
				}
			}
		}
	} elseif (is_readable($file = ($g['dhcpd_chroot_path'] ?? '/var/dhcpd') . '/var/db/dhcpd.leases')) {
		$leased = [];
		$address = '';
		foreach (file($file) as $line) {
			if (preg_match('/^lease ([0-9.]+) /', $line, $found)) {
				$address = $found[1];
			} elseif (preg_match('/^\s+binding state (\w+);/', $line, $found)) {
				$active[$address] = $found[1] === 'active';
			}
		}
	}
	if ($leased !== null) {
		$leased = array_map('strval', array_keys(array_filter($active)));
	}

	$ha = $list($config, 'kea', 'ha');
	$last = $list($config, 'revision');
	$result = ['error' => '', 'version' => trim((string)@file_get_contents('/etc/version')), 'config' => $text($config, 'version'),
		'engine' => $engine(), 'running' => $runs(), 'revision' => ['time' => $text($last, 'time'), 'text' => $text($last, 'description')],
		'dirty' => (bool)is_subsystem_dirty('dhcpd'), 'relay' => isset($list($config, 'dhcrelay')['enable']),
		'sync_to' => $text($list($config, 'hasync'), 'synchronizetoip'),
		'kea_ha' => isset($ha['enable']) ? ['role' => $text($ha, 'role') ?: 'primary', 'peer' => $text($ha, 'remoteip')] : null,
		'kea_custom' => $keaCustom(),
		'kea_element' => isset($config['kea']) && in_array($config['kea'], ['', []], true), 'interfaces' => $interfaces, 'leased' => $leased, 'odd' => $odd];
} catch (Throwable $e) {
	$result = ['error' => $e->getMessage()];
}
if ($lock) {
	unlock($lock);
}
$toreturn = $answer($result);
