-- SPDX-License-Identifier: MIT
-- dom0's command line on the UART (workloads/dom0), of the machine that is looked at.

local command_line = { PROMPT = "dom0# " }

-- Until dom0 takes its first command.
function command_line.wait(limit)
    uart{ expect = command_line.PROMPT, limit = limit or "1s" }
end

-- What a command printed, up to the next prompt and with it.
function command_line.dom0(line, limit)
    local before = #uart{}
    uart{ send = line .. "\n" }
    return (uart{ expect = command_line.PROMPT, limit = limit or "4s" }:sub(before + 1):gsub("\r", ""))
end

-- The same without the prompt.
function command_line.answer(line)
    return (command_line.dom0(line):gsub(command_line.PROMPT .. "$", ""))
end

return command_line
