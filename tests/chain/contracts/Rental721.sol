// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Film721} from "./Film721.sol";

// A film that can be lent: ERC-4907 as its text has it. Who it is lent to loses it with a transfer.
contract Rental721 is Film721 {
    struct User {
        address user;
        uint64 expires;
    }
    mapping(uint256 => User) private users;

    event UpdateUser(uint256 indexed tokenId, address indexed user, uint64 expires);

    function setUser(uint256 id, address user, uint64 expires) external {
        users[id] = User(user, expires);
        emit UpdateUser(id, user, expires);
    }

    // What userOf() and userExpires() would say, whatever the time.
    function lent(uint256 id) external view returns (uint256) {
        return uint256(uint160(users[id].user)) << 64 | users[id].expires;
    }

    function _update(address to, uint256 id, address auth) internal override returns (address from) {
        from = super._update(to, id, auth);
        if (from != to && users[id].user != address(0)) {
            delete users[id];
            emit UpdateUser(id, address(0), 0);
        }
    }
}
