/* SPDX-License-Identifier: MIT */
/* step(label, text): where a scenario that is followed step by step (--step) stops and shows something. */
#include "sim/script/session.h"

/* `text` may be a function that makes it, called only if somebody looks. Gives whether somebody does. */
int script_step_shown(lua_State *L)
{
    const struct script_options *options = script_of(L)->options;
    const char *label = lua_tostring(L, 1), *text;

    if (!lua_isfunction(L, 2) && lua_type(L, 2) != LUA_TSTRING)
        script_raise(L, "step: the text is %s; a string, or a function that gives one, is right", luaL_typename(L, 2));
    if (options->step && lua_isfunction(L, 2)) {
        lua_settop(L, 2);
        lua_call(L, 0, 1);
    }
    text = options->step ? lua_tostring(L, -1) : NULL;
    if (options->step && !text)
        script_raise(L, "step: the function gave %s; a string is right", luaL_typename(L, -1));
    if (options->step && !options->step(options->ctx, label, text))
        script_raise_status(L, SCRIPT_FAILED, "step: ended at the terminal");
    lua_pushboolean(L, options->step != NULL);
    return 1;
}
