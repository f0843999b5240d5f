-- SPDX-License-Identifier: MIT
-- A guest populated on demand: hv backs a page at its first VMEXIT_NPF, so the number of these exits is known
-- beforehand. sums writes 256 pages of 4 KiB from 8 MiB on: 256 exits with 4K backing, 1 with 2M backing. The
-- program's own pages need none: hv backed them when it loaded the image.

local EXITS = { ["4k"] = 256, ["2m"] = 1 }

for _, backing in ipairs{ "4k", "2m" } do
    machine{ memory = "1G" }
    boot{ kernel = "hv.elf",
          modules = { "sums64.elf name=d memory=256M populate=demand backing=" .. backing } }
    run{ limit = "20s" }
    local console, npf = uart{}, 0
    for _, row in ipairs(exits()) do
        if row.exit == "VMEXIT_NPF" then
            npf = npf + row.count
        end
    end
    expect(console:match("outcome=(%a+)"), { equals = "finished", name = backing .. ": the guest finishes" })
    expect(npf, { equals = EXITS[backing], name = backing .. ": VMEXIT_NPF" })
    expect(tonumber(console:match("guest=d vcpu=0 reason=VMEXIT_NPF count=(%d+)")),
           { equals = npf, name = backing .. ": hv counts as the model" })
    log(string.format("%s backing: %d nested page faults", backing, npf))
end
