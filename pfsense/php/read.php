<?php
$toreturn = json_encode(['error' => 'not implemented']);
